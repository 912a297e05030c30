// The focus stays where it was: in a part that is drawn anew, and on a choice that loads the page anew. Otherwise
// whoever works by keyboard begins at the top again, on the Overview every five seconds.

const STOPS = "a[href], button, summary, input, select, textarea, [tabindex]";
const CHOICES = "[data-selection-form] select, [data-auto-submit] :is(select, input), .gh-switch a, th a";
const KEPT = "gatehouse.focus";
const KEPT_MS = 15000;

// What an element is, in words that the one in its place has too.
function nameOf(element, byAddress) {
  const address = byAddress ? element.getAttribute("href") : "";
  return element.id || element.name || address || element.firstChild?.textContent.trim() || element.tagName;
}

function placeOf(element, among, byAddress) {
  const name = nameOf(element, byAddress);
  const alike = among.filter((each) => nameOf(each, byAddress) === name);
  return { name, nth: alike.indexOf(element) };
}

function focusOn({ name, nth }, among, byAddress) {
  const alike = among.filter((each) => nameOf(each, byAddress) === name);
  (alike[nth] ?? alike[0])?.focus({ preventScroll: true });
}

const within = (part) => [...part.querySelectorAll(STOPS)];
let lost = null;
document.body.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  const element = document.activeElement;
  const isInside = target !== element && target.contains(element);
  lost = isInside ? { element, target, place: placeOf(element, within(target), true) } : null;
});
document.body.addEventListener("htmx:afterSwap", () => {
  if (lost && !lost.element.isConnected) focusOn(lost.place, within(lost.target), true);
  lost = null;
});

const choices = () => [...document.querySelectorAll(CHOICES)];
function keep(event) {
  const element = event.target.closest?.(CHOICES);
  if (!element?.matches(":focus-visible")) return;
  const place = placeOf(element, choices(), false);
  sessionStorage.setItem(KEPT, JSON.stringify({ ...place, path: location.pathname, at: Date.now() }));
}
document.addEventListener("change", keep, true);
document.addEventListener("click", keep, true);

const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
sessionStorage.removeItem(KEPT);
if (kept?.path === location.pathname && Date.now() - kept.at < KEPT_MS && document.activeElement === document.body) {
  focusOn(kept, choices(), false);
}
