// A call that is in no ledger yet: shown from the live socket, opened as soon as it is written.

import { duration, grouped, money, words } from "./figures.js";
import { LiveSocket } from "./live_socket.js";

const box = document.querySelector("[data-pending]");
const id = box.dataset.pending;
const WORDS = words("live-words");
const socket = new LiveSocket(box.dataset.socket);
const sentence = box.querySelector("[data-pending-sentence]");
const facts = box.querySelector("[data-pending-facts]");
const field = (name, text) => (facts.querySelector(`[data-field="${name}"]`).textContent = text);
const waiting = sentence.textContent;

setInterval(() => {
  const call = socket.flying.get(id);
  sentence.textContent = call ? sentence.dataset.flying : waiting;
  facts.hidden = !call;
  if (!call) return;
  field("model", call.model);
  field("phase", WORDS.phases[call.phase] ?? call.phase);
  field("elapsed", duration(Math.max(0, Date.now() + socket.skew - call.at)));
  field("tokens", grouped(call.tokens));
  field("cost", call.cost === null ? WORDS.none : money(call.cost));
}, 200);

setInterval(async () => {
  if (document.visibilityState !== "visible" || socket.flying.has(id)) return;
  const answer = await fetch(location.href, { headers: { "HX-Request": "true" } });
  if (answer.status === 200) location.reload();
}, 1000);
