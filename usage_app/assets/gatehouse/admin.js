// What the admin's parts of others say and do: select2 names its box by what is chosen alone, simplebar its box in
// English, and fields in the rows of a form have no names but their columns'.

const named = (box) => {
  const field = box.closest(".select2-container")?.previousElementSibling;
  const label = field?.labels?.[0]?.textContent.trim() || field?.getAttribute("aria-label");
  if (label && !box.getAttribute("aria-label")) {
    box.setAttribute("aria-label", label);
    box.removeAttribute("aria-labelledby");
  }
};

const nameByColumn = (field) => {
  const { label } = field.closest("td").dataset;
  if (label && !field.labels?.length && !field.ariaLabel) field.ariaLabel = label;
};

// On a phone a row is a card, and the columns' names stand before its values.
const beginLarge = (cell) => {
  const { label } = cell.dataset;
  const begun = label.charAt(0).toLocaleUpperCase() + label.slice(1);
  if (begun !== label) cell.dataset.label = begun;
};

const nameAll = () => {
  document.querySelectorAll("td[data-label], th[data-label]").forEach(beginLarge);
  document.querySelectorAll(".tabular td :is(input:not([type=hidden]), select, textarea)").forEach(nameByColumn);
  document.querySelectorAll(".select2-selection, .select2-selection__rendered").forEach(named);
  const scrollable = document.querySelector("[data-words]")?.dataset.scrollable;
  if (scrollable) document.querySelectorAll(".simplebar-content-wrapper").forEach((box) => (box.ariaLabel = scrollable));
};
// Its theme is the system's as it was when the page was loaded: it follows from here on, and nothing is stored for it.
const system = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  const { adminTheme } = window.Alpine.$data(document.documentElement);
  document.documentElement.classList.toggle("dark", adminTheme === "dark" || (adminTheme === "auto" && system.matches));
};
document.addEventListener("alpine:initialized", () => {
  window.Alpine.effect(follow);
  system.addEventListener("change", follow);
});

document.addEventListener("DOMContentLoaded", () => {
  nameAll();
  // Rows of inlines are added later, and select2 draws its boxes after the page has loaded.
  new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
});
