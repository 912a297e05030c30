// Every page of the window: the selection, copying, keys, tabs, and the pulse that fragments refresh on.

import "./in_flight.js";
import "./keeping_focus.js";

const main = document.querySelector(".gh-header");

// The address says what is shown, so that it can be shared even when the choice came from memory.
const chosen = main?.dataset.selection;
if (chosen && chosen !== "?") {
  const address = new URL(location.href);
  let changed = false;
  for (const [name, value] of new URLSearchParams(chosen)) {
    if (!address.searchParams.has(name)) {
      address.searchParams.set(name, value);
      changed = true;
    }
  }
  if (changed) history.replaceState(history.state, "", address);
}

document.querySelector("[data-selection-form]")?.addEventListener("change", (event) => {
  if (event.target.value === "custom") {
    event.target.value = event.target.dataset.before ?? "";
    document.getElementById("gh-range").showModal();
    return;
  }
  const address = new URL(location.href);
  for (const cursor of ["after", "before"]) address.searchParams.delete(cursor);
  if (event.target.name === "range") {
    address.searchParams.delete("since");
    address.searchParams.delete("until");
    address.searchParams.delete("zone");
  }
  address.searchParams.set(event.target.name, event.target.value);
  location.assign(address);
});

for (const select of document.querySelectorAll("[data-selection-form] select")) select.dataset.before = select.value;

document.querySelector("[data-range-form]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const address = new URL(location.href);
  for (const name of ["range", "after", "before"]) address.searchParams.delete(name);
  for (const [name, value] of new FormData(event.target)) address.searchParams.set(name, value);
  location.assign(address);
});

// A part tells instants in the zone of the page it is for.
document.body.addEventListener("htmx:configRequest", (event) => {
  if (main) event.detail.headers["X-Gatehouse-Zone"] = main.dataset.zone;
});

// A part that cannot be fetched leaves what is there: it is said that it may be old.
const lost = document.querySelector("[data-lost]");
document.body.addEventListener("htmx:sendError", () => lost && (lost.hidden = false));
document.body.addEventListener("htmx:afterOnLoad", () => lost && (lost.hidden = true));

// A wide table over time opens at its end: the newest is what is asked for.
// The last column takes what it needs for no other one to lie half under those that stay.
for (const box of document.querySelectorAll("[data-scroll-end]")) {
  const cells = [...(box.querySelector("tbody tr")?.cells ?? [])];
  const stay = cells.filter((cell) => getComputedStyle(cell).position === "sticky");
  const edge = box.scrollWidth - box.clientWidth + stay.reduce((sum, cell) => sum + cell.offsetWidth, 0);
  const lefts = cells.filter((cell) => !stay.includes(cell)).map((cell) => cell.getBoundingClientRect().left);
  const start = box.querySelector("table").getBoundingClientRect().left;
  const next = lefts.map((left) => left - start).find((left) => left >= edge - 0.5);
  const last = cells.at(-1);
  if (next && box.scrollWidth > box.clientWidth) last.style.minWidth = `${last.offsetWidth + next - edge}px`;
  box.scrollLeft = box.scrollWidth;
}

for (const form of document.querySelectorAll("[data-auto-submit]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// A form that changes its own part of the address and keeps the rest.
for (const form of document.querySelectorAll("[data-keep-address]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = new URL(location.href);
    for (const element of form.elements) if (element.name) address.searchParams.delete(element.name);
    for (const [name, value] of new FormData(form)) if (value) address.searchParams.set(name, value);
    location.assign(address);
  });
}

// What is exported or saved is what the address says by now.
document.addEventListener("submit", (event) => {
  const own = event.target.querySelector("[data-own-query]");
  if (own) own.value = location.search.slice(1);
});

// Small menus: one at a time, closed by a click beside them and by Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (event.target.closest("[data-print]")) window.print();
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// This page answered a form: loading it again would send the form again.
const answered = document.querySelector("[data-answered]");
if (answered) history.replaceState(history.state, "", answered.dataset.answered);

// Back to the list as it was filtered, when that is where the reader came from.
document.querySelector("[data-back]")?.addEventListener("click", (event) => {
  const from = document.referrer && new URL(document.referrer);
  if (from && from.origin === location.origin && from.pathname === new URL(event.currentTarget.href).pathname) {
    event.preventDefault();
    history.back();
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const word = button.querySelector("[data-copied]");
  await copy(button.parentElement.querySelector("code").textContent);
  const before = word.textContent;
  word.textContent = word.dataset.copied;
  setTimeout(() => (word.textContent = before), 1500);
});

// Without TLS (a plain address in an office network) browsers offer no clipboard object.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "gh-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

for (const tabs of document.querySelectorAll("[data-tabs]")) {
  const buttons = [...tabs.querySelectorAll('[role="tab"]')];
  const open = (button, focus) => {
    for (const each of buttons) {
      const selected = each === button;
      each.setAttribute("aria-selected", String(selected));
      each.tabIndex = selected ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !selected;
    }
    if (focus) button.focus();
    localStorage.setItem("gatehouse.tab", button.id);
  };
  const remembered = buttons.find((each) => each.id === localStorage.getItem("gatehouse.tab"));
  if (remembered) open(remembered, false);
  tabs.addEventListener("click", (event) => {
    const button = event.target.closest('[role="tab"]');
    if (button) open(button, false);
  });
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = buttons.indexOf(event.target);
    if (step && at >= 0) open(buttons.at((at + step) % buttons.length), true);
  });
}

const home = new URL(document.querySelector(".gh-sidebar-brand")?.href ?? "/ui/", location.href);
// Keys: g and a letter to go, / to search, ? for the list.
const PLACES = { o: "", l: "live/", r: "requests/", u: "usage/", s: "get-started/" };
let going = 0;
// By the key's place where what it writes is no Latin letter: Hangul is on.
const letter = (event) => (/^Key[A-Z]$/.test(event.code) && !/^[a-z]$/i.test(event.key) ? event.code[3].toLowerCase() : event.key);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (going && event.timeStamp - going < 1200 && letter(event) in PLACES) {
    // As the navigation leads there: with the choice of this page.
    const place = new URL(PLACES[letter(event)], home);
    const links = [...document.querySelectorAll(".gh-sidebar-nav a")];
    location.assign(links.find((link) => link.pathname === place.pathname)?.href ?? place.href);
  } else if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else {
      event.preventDefault();
      document.querySelector("[data-palette-open]")?.click();
    }
  } else if (event.key === "?") {
    document.getElementById("gh-keys")?.showModal();
  }
  going = letter(event) === "g" ? event.timeStamp : 0;
});

// The navigation: beside the page where there is room, over it where there is not.
const root = document.documentElement;
const wide = window.matchMedia("(min-width: 1280px)");
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-sidebar-toggle]")) {
    if (wide.matches) {
      const closed = root.classList.toggle("gh-sidebar-closed");
      localStorage.setItem("sidebarDesktopOpen", closed ? "0" : "1");
    } else {
      root.classList.toggle("gh-sidebar-over");
    }
  } else if (event.target.closest("[data-sidebar-close]")) {
    root.classList.remove("gh-sidebar-over");
  } else if (event.target.closest("[data-theme-toggle]")) {
    window.gatehouseTheme(root.classList.contains("dark") ? "light" : "dark");
  } else if (event.target.closest("[data-keys-help]")) {
    document.getElementById("gh-keys").showModal();
  }
  for (const menu of document.querySelectorAll(".gh-me[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

if (localStorage.getItem("sidebarDesktopOpen") === "0") root.classList.add("gh-sidebar-closed");

const palette = document.getElementById("gh-palette");
if (!palette) {
  // The admin has a palette of its own.
  document.querySelector("[data-palette-open]")?.addEventListener("click", () => dispatchEvent(new CustomEvent("opencommand")));
}
if (palette) {
  const open = () => {
    palette.showModal();
    palette.querySelector("input").select();
    palette.querySelector("input").dispatchEvent(new CustomEvent("gh:palette"));
  };
  document.querySelector("[data-palette-open]")?.addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && palette.open) {
      event.preventDefault(); // which would empty the field first
      palette.close();
    } else if (letter(event) === "k" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      open();
    } else if (palette.open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const stops = [palette.querySelector("input"), ...palette.querySelectorAll("a")];
      const at = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
      stops[(at + stops.length) % stops.length].focus();
    } else if (palette.open && event.key === "Enter" && document.activeElement.tagName === "INPUT") {
      palette.querySelector("a")?.click(); // the first that was found
    }
  });
  palette.addEventListener("click", (event) => event.target === palette && palette.close());
}

// Fragments refresh on these, never while nobody looks at the page.
function pulse(name, everyMs) {
  setInterval(() => {
    if (document.visibilityState === "visible") document.body.dispatchEvent(new CustomEvent(name));
  }, everyMs);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") document.body.dispatchEvent(new CustomEvent(name));
  });
}
pulse("gh:refresh", 5000);
pulse("gh:tail", 1500);
