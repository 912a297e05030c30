// A call that is in no ledger yet: shown from the live socket, opened as soon as it is written. One that
// is too old to be on its way there, and that the socket does not know, is not asked for.

import { duration, grouped, money, words } from "./figures.js";
import { LiveSocket } from "./live_socket.js";

const box = document.querySelector("[data-pending]");
const id = box.dataset.pending;
const WORDS = words("live-words");
const socket = new LiveSocket(box.dataset.socket);
const facts = box.querySelector("[data-pending-facts]");
const field = (name, text) => (facts.querySelector(`[data-field="${name}"]`).textContent = text);
let isKnown = false;

function stateNow() {
  if (socket.flying.has(id)) return "flying";
  return isKnown || performance.now() < Number(box.dataset.left) ? "written" : "absent";
}

setInterval(() => {
  const call = socket.flying.get(id);
  isKnown ||= Boolean(call) || socket.ended.has(id);
  const state = stateNow();
  for (const part of box.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== state;
  facts.hidden = !call;
  if (!call) return;
  field("model", call.model);
  field("phase", WORDS.phases[call.phase] ?? call.phase);
  field("elapsed", duration(Math.max(0, Date.now() + socket.skew - call.at)));
  field("tokens", grouped(call.tokens));
  field("cost", call.cost === null ? WORDS.none : money(call.cost));
}, 200);

setInterval(async () => {
  if (document.visibilityState !== "visible" || stateNow() !== "written") return;
  const answer = await fetch(location.href, { headers: { "HX-Request": "true" } });
  if (answer.status === 200) location.reload();
}, 1000);
