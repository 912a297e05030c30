// The number beside Live in the navigation: calls in flight, told by a socket of its own while the page is seen.
// Live counts what it shows itself, and tells it by an event.

const MAX_WAIT_MS = 30000;
const badge = document.querySelector("[data-in-flight]");

function show(count) {
  badge.hidden = count === 0;
  badge.firstElementChild.textContent = count > 999 ? "999+" : String(count);
}

let socket = null;
let tries = 0;
let later = 0;

function open() {
  clearTimeout(later);
  if (socket || document.visibilityState !== "visible") return;
  const address = new URL(badge.dataset.inFlight, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(address));
  mine.onmessage = (event) => {
    tries = 0;
    show(JSON.parse(event.data).count);
  };
  mine.onclose = (event) => {
    if (socket !== mine) return;
    socket = null;
    show(0); // how many there are is not known
    tries += 1;
    if (event.code !== 4401) later = setTimeout(open, Math.min(MAX_WAIT_MS, 1000 * 2 ** tries));
  };
}

function leave() {
  const mine = socket;
  socket = null;
  mine?.close();
}

if (badge && document.getElementById("live")) {
  document.addEventListener("gh:in-flight", (event) => show(event.detail));
} else if (badge) {
  document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? open() : leave()));
  // A page that the browser keeps for going back has no socket open.
  addEventListener("pagehide", leave);
  addEventListener("pageshow", open);
  open();
}
