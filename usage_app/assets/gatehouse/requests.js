// The Requests page: opens the filter's lists when asked, lets new calls appear, keeps the list short.

const KEEP_ROWS = 200;

document.querySelector("[data-filters]")?.addEventListener("toggle", (event) => {
  if (event.target.open) {
    event.target.querySelector(".gh-filters-panel").dispatchEvent(new CustomEvent("gh:open"));
  }
});

// Search, filter and columns change one part of the address and keep the rest.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches(".gh-search, .gh-filter-form, [data-columns]")) return;
  event.preventDefault();
  const address = new URL(location.href);
  const names = new Set([...form.elements].map((each) => each.name).filter(Boolean));
  for (const name of [...names, "after", "before"]) address.searchParams.delete(name);
  for (const [name, value] of new FormData(form)) {
    if (value) address.searchParams.append(name, value);
  }
  location.assign(address);
});

const tail = document.querySelector("[data-tail]");
if (tail) {
  tail.checked = localStorage.getItem("gatehouse.tail") !== "off";
  tail.addEventListener("change", () => localStorage.setItem("gatehouse.tail", tail.checked ? "on" : "off"));
}

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "request-tail" && tail && !tail.checked) event.preventDefault();
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "request-rows") return;
  // A second look that was on its way may bring a row that is here already.
  event.detail.shouldSwap = event.detail.xhr.status === 200;
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  const rows = event.detail.target;
  if (rows?.id !== "request-rows") return;
  const seen = new Set();
  for (const row of [...rows.rows]) {
    if (seen.has(row.dataset.id)) row.remove();
    seen.add(row.dataset.id);
  }
  while (rows.rows.length > KEEP_ROWS) rows.rows[rows.rows.length - 1].remove();
  if (rows.rows.length) document.querySelector("[data-until-rows]")?.remove();
});
document.body.addEventListener("htmx:load", (event) => {
  if (event.target.matches?.("#request-rows > tr")) event.target.classList.add("is-new");
});
