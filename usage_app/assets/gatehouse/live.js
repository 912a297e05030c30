// The Live page: what is in flight, drawn once a frame, only what is visible, by changing text nodes.

import { clock, duration, fill, grouped, money, shortCount, words } from "./figures.js";
import { LiveSocket } from "./live_socket.js";
import { Reader } from "./live_reader.js";

const page = document.getElementById("live");
const WORDS = words("live-words");
const socket = new LiveSocket(page.dataset.socket);
const reader = "reads" in page.dataset ? new Reader(page, socket, WORDS) : null;
const narrow = window.matchMedia("(max-width: 900px)");
const rowHeight = () => (narrow.matches ? 98 : 40);
const KINDS = { admitted: "gateway", routed: "gateway", connecting: "connect", waiting: "wait", streaming: "stream" };
const SVG = "http://www.w3.org/2000/svg";

let wanted = "";
let frozenAt = 0;
let frozen = null;

const put = (node, text) => {
  if (node.nodeValue !== text) node.nodeValue = text;
};

// Ends a call for its caller too. The row says so itself, through the socket; a failure is on the button.
async function stopCall(id, button) {
  button.disabled = true;
  const address = new URL(`${page.dataset.stop}${id}/stop`, location.href);
  const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": page.dataset.token } }).catch(() => null);
  if (answer?.ok || answer?.status === 404) return;
  button.disabled = false;
  button.title = WORDS.not_stopped;
}

// One row's elements, made once and filled again and again.
class Row {
  constructor() {
    this.element = document.createElement("a");
    this.element.className = "gh-live-row";
    this.texts = {};
    for (const name of ["model", "service", "key"]) this.cell(name, "");
    // What leads to a model's name (`accounts/…/`) is cut before the name is.
    this.way = document.createElement("span");
    this.way.className = "gh-way";
    this.way.append(document.createElement("bdi"));
    this.way.firstChild.append((this.texts.way = document.createTextNode("")));
    this.cells.model.prepend(this.way);
    this.cells.model.translate = false;
    this.cell("try", "gh-warn-text");
    this.phaseCell = document.createElement("span");
    this.phaseCell.className = "gh-live-phase";
    this.phaseWord = document.createElement("span");
    // As Requests has an outcome: its shape, its word, and the code that says more.
    this.shape = document.createElement("i");
    this.shape.setAttribute("aria-hidden", "true");
    this.shape.append((this.texts.shape = document.createTextNode("")));
    const word = document.createElement("span");
    word.append((this.texts.phase = document.createTextNode("")));
    this.code = document.createElement("code");
    this.code.className = "gh-code";
    this.code.lang = "en";
    this.code.append((this.texts.code = document.createTextNode("")));
    this.phaseWord.append(this.shape, word, this.code);
    this.bar = document.createElementNS(SVG, "svg");
    this.bar.setAttribute("preserveAspectRatio", "none");
    this.bar.setAttribute("viewBox", "0 0 100 8");
    this.bar.setAttribute("aria-hidden", "true");
    this.spans = ["gateway", "connect", "wait", "stream"].map((kind) => {
      const span = document.createElementNS(SVG, "rect");
      span.setAttribute("class", `gh-span is-${kind}`);
      span.setAttribute("height", "8");
      this.bar.append(span);
      return { kind, span, at: "", width: "" };
    });
    this.phaseCell.append(this.phaseWord, this.bar);
    this.element.append(this.phaseCell);
    for (const name of ["ttft", "time", "tokens", "speed", "cost"]) this.cell(name, "is-number");
    const buttons = document.createElement("span");
    buttons.className = "gh-live-buttons";
    this.element.append(buttons);
    if (reader) {
      this.read = reader.button(() => this.call);
      buttons.append(this.read);
    }
    this.stop = document.createElement("button");
    this.stop.type = "button";
    this.stop.className = "gh-live-stop";
    this.stop.textContent = "✕";
    this.stop.addEventListener("click", (event) => {
      event.preventDefault();
      if (!this.asks) return this.ask(true);
      this.ask(false);
      if (event.detail === 0) this.element.focus(); // by a key: the button is about to go
      stopCall(this.id, this.stop);
    });
    this.stop.addEventListener("blur", () => this.ask(false));
    this.stop.addEventListener("keydown", (event) => event.key === "Escape" && this.ask(false));
    buttons.append(this.stop);
    this.mark = document.createElement("i");
    this.mark.className = "gh-mark is-sandbox";
    this.mark.textContent = WORDS.sandbox;
    this.environment = document.createElement("i");
    this.environment.className = "gh-mark";
    this.environment.append((this.texts.environment = document.createTextNode("")));
    this.cells.service.append(this.environment);
    this.cells.model.append(this.mark);
    this.id = "";
  }

  cell(name, kind) {
    this.cells ??= {};
    const cell = document.createElement("span");
    cell.className = `gh-live-${name} ${kind}`;
    const text = document.createElement("span");
    text.append((this.texts[name] = document.createTextNode("")));
    cell.append(text);
    this.cells[name] = cell;
    this.element.append(cell);
  }

  // A call is somebody's: its button asks before it stops one, and forgets when it is left.
  ask(asks) {
    this.asks = asks;
    this.stop.classList.toggle("is-asking", asks);
    this.stop.textContent = asks ? WORDS.stop_now : "✕";
    this.stop.title = fill(asks ? WORDS.stop_sure : WORDS.stop, { call: `${this.call.model} · ${this.call.key || this.call.hint}` });
    this.stop.setAttribute("aria-label", this.stop.title);
    if (asks) page.querySelector("[data-live-said]").textContent = this.stop.title;
  }

  show(call, top, now) {
    this.call = call;
    if (this.id !== call.id) {
      this.id = call.id;
      this.element.href = page.dataset.requests + call.id + "/";
      this.element.dataset.call = call.id;
      this.stop.disabled = false;
      this.ask(false);
      if (this.read) {
        this.read.title = fill(WORDS.read, { call: `${call.model} · ${call.key || call.hint}` });
        this.read.setAttribute("aria-label", this.read.title);
      }
      this.mark.hidden = !call.sandbox || call.model.startsWith("sandbox");
      this.environment.hidden = !call.environment;
      this.environment.className = `gh-mark is-${call.environment}`;
      put(this.texts.environment, WORDS.environments[call.environment] ?? call.environment);
      this.environment.title = WORDS.environment_names[call.environment] ?? call.environment;
      const [way, last] = call.model.split(/(?<=^\S+\/)(?=[^/\s]+$)/);
      put(this.texts.way, last ? way : "");
      put(this.texts.model, last ?? way);
      this.way.hidden = !last;
      put(this.texts.service, call.service || call.user || WORDS.none);
      put(this.texts.key, call.key || call.hint);
      this.cells.key.title = `${call.key} ${call.hint}`;
      this.cells.model.title = call.model;
    }
    const move = `translateY(${top}px)`;
    if (this.moved !== move) this.element.style.transform = this.moved = move;
    const over = call.status !== "";
    const elapsed = Math.max(0, (over ? call.ended : now) - call.at);
    const word = over ? (WORDS.statuses[call.status] ?? call.status) : (WORDS.phases[call.phase] ?? call.phase);
    this.drawOutcome(word, over ? call.error : "", over ? (WORDS.shapes[call.status] ?? ["○", "muted"]) : ["", ""]);
    const ttft = call.ttft === null || call.ttft === undefined ? "" : duration(call.ttft);
    put(this.texts.ttft, ttft && narrow.matches ? fill(WORDS.first_token, { time: ttft }) : ttft);
    put(this.texts.time, elapsed < 1 ? "< 1\u202fms" : duration(elapsed).replace(".0\u202fms", "\u202fms"));
    put(this.texts.tokens, call.tokens ? grouped(call.tokens) : "");
    const streaming = call.ttft !== null && call.ttft !== undefined ? elapsed - call.ttft : 0;
    put(this.texts.speed, call.tokens && streaming > 250 ? `${Math.round((call.tokens / streaming) * 1000)}/s` : "");
    put(this.texts.cost, call.cost === null ? (over ? WORDS.unpriced : "") : money(call.cost));
    this.drawTry(call);
    this.drawHold(call, over);
    this.drawBar(call, elapsed);
    const idle = over || !page.dataset.stop;
    if (this.stop.hidden !== idle) this.stop.hidden = idle;
    const silent = over || !call.heard;
    if (this.read && this.read.hidden !== silent) this.read.hidden = silent;
    const tried = call.attempts > 1 ? " has-try" : "";
    const kind = `gh-live-row${tried}${over ? " is-ended" : ""}${over && call.freshUntil > Date.now() ? " is-fresh" : ""}`;
    if (this.element.className !== kind) this.element.className = kind;
  }

  drawOutcome(word, code, [shape, tone]) {
    put(this.texts.phase, word);
    put(this.texts.code, code);
    put(this.texts.shape, shape);
    if (this.code.hidden !== !code) this.code.hidden = !code;
    if (this.shape.hidden !== !shape) this.shape.hidden = !shape;
    const kind = tone ? `gh-status is-${tone}${code ? " has-code" : ""}` : "";
    if (this.phaseWord.className !== kind) this.phaseWord.className = kind;
    const told = code ? `${word}: ${code}` : "";
    if (this.phaseWord.title !== told) this.phaseWord.title = told;
  }

  // A call that failed at one deployment goes on at the next: which try it is, and where.
  drawTry(call) {
    const told = call.attempts > 1 ? fill(WORDS.try, { number: call.attempts, deployment: call.deployment }) : "";
    put(this.texts.try, told);
    if (this.cells.try.title !== told) this.cells.try.title = told;
    if (this.cells.try.hidden !== !told) this.cells.try.hidden = !told;
  }

  // How much of what it holds from its budgets a call has used: a line under its cost.
  drawHold(call, over) {
    const share = over || !call.held || call.cost === null ? 0 : Math.min(1, call.cost / call.held);
    const used = share ? `${Math.max(2, Math.round(share * 100))}%` : "";
    if (this.used === used) return;
    this.used = used;
    this.cells.cost.classList.toggle("is-held", used !== "");
    this.cells.cost.style.setProperty("--gh-used", used || "0%");
    this.cells.cost.title = used ? fill(WORDS.held, { cost: money(call.cost), held: money(call.held) }) : "";
  }

  // The whole bar is the call so far, or at least two seconds: a young call's bar visibly fills.
  drawBar(call, elapsed) {
    const whole = Math.max(elapsed, call.status === "" ? 2000 : 1);
    const starts = Object.entries(call.phases)
      .filter(([phase]) => KINDS[phase])
      .sort((a, b) => a[1] - b[1]);
    const reach = { gateway: [0, 0], connect: null, wait: null, stream: null };
    starts.forEach(([phase, at], index) => {
      const end = Math.min(starts[index + 1]?.[1] ?? elapsed, elapsed);
      const kind = KINDS[phase];
      reach[kind] = reach[kind] ? [reach[kind][0], end] : [at, end];
    });
    for (const each of this.spans) {
      const [from, to] = reach[each.kind] ?? [0, 0];
      const at = ((from / whole) * 100).toFixed(1);
      const width = Math.max(0, ((to - from) / whole) * 100).toFixed(1);
      if (each.at !== at) each.span.setAttribute("x", (each.at = at));
      if (each.width !== width) each.span.setAttribute("width", (each.width = width));
    }
  }
}

// A list that renders the rows one can see and a few around them.
class List {
  constructor(name) {
    this.box = page.querySelector(`[data-list="${name}"]`);
    this.none = page.querySelector(`[data-none="${name}"]`);
    this.space = document.createElement("div");
    this.space.className = "gh-live-space";
    this.box.append(this.space);
    this.rows = [];
    this.box.addEventListener("scroll", schedule, { passive: true });
  }

  show(calls, now) {
    const height = rowHeight();
    const tall = `${calls.length * height}px`;
    if (this.space.style.height !== tall) this.space.style.height = tall;
    this.box.hidden = calls.length === 0;
    this.none.hidden = calls.length > 0;
    const first = Math.max(0, Math.floor(this.box.scrollTop / height) - 3);
    const last = Math.min(calls.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + 3);
    const visible = calls.slice(first, last);
    while (this.rows.length < visible.length) {
      const row = new Row();
      this.rows.push(row);
      this.box.append(row.element);
    }
    this.rows.forEach((row, index) => {
      const call = visible[index];
      row.element.hidden = !call;
      if (call) row.show(call, (first + index) * height, now);
    });
  }
}

const lists = { flying: new List("flying"), ended: new List("ended") };

// What happened in the last minute (starts, money) and the last three seconds (tokens).
const recent = { started: [], tokens: [], cost: [] };
for (const name of Object.keys(recent)) {
  socket.addEventListener(name, ({ detail: { at, amount } }) => {
    const isLate = at < (recent[name].at(-1)?.[0] ?? 0);
    recent[name].push([at, amount]);
    if (isLate) recent[name].sort((a, b) => a[0] - b[0]);
  });
}
function over(name, milliseconds) {
  const kept = recent[name];
  const from = Date.now() - milliseconds;
  let gone = 0;
  while (gone < kept.length && kept[gone][0] < from) gone += 1;
  if (gone) kept.splice(0, gone);
  return kept.reduce((sum, each) => sum + each[1], 0);
}

const nodes = Object.fromEntries(
  ["flying", "started", "speed", "spend"].map((name) => [name, page.querySelector(`[data-figure="${name}"]`).firstChild]),
);
const matches = (call) =>
  !wanted || `${call.model} ${call.key} ${call.hint} ${call.user} ${call.service} ${call.environment}`.toLowerCase().includes(wanted);

let scheduled = false;
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(draw);
}

const newestFirst = (calls) => calls.sort((a, b) => b.at - a.at);

// While somebody points into the list or has the focus there, no row moves: what one is about to stop stays
// where it is. New calls come below then, and one that ends keeps its place.
class Order {
  constructor(box) {
    this.box = box;
    this.shown = [];
    box.addEventListener("pointerleave", schedule);
    box.addEventListener("focusout", schedule);
  }

  get isHeld() {
    return this.box.querySelector(":focus-visible") !== null || (pointed.matches && this.box.matches(":hover"));
  }

  of(calls) {
    if (!this.isHeld) {
      newestFirst(calls);
    } else {
      const known = new Set(this.shown);
      const kept = this.shown.map((id) => socket.flying.get(id) ?? socket.ended.get(id)).filter((call) => call && matches(call));
      calls = [...kept, ...newestFirst(calls.filter((call) => !known.has(call.id))).reverse()];
    }
    this.shown = calls.map((call) => call.id);
    return calls;
  }
}
const pointed = window.matchMedia("(hover: hover)");
const order = new Order(lists.flying.box);

let toldCount = -1;
function tellNavigation(count) {
  if (count !== toldCount) document.dispatchEvent(new CustomEvent("gh:in-flight", { detail: (toldCount = count) }));
}

// A text that is looked for narrows the lists alone, and stands in the address.
const filter = page.querySelector("[data-live-filter]");
const filterNote = page.querySelector("[data-filter-note]");
const noneWithText = page.querySelector("[data-none-with-text]");
function tellFilter(flying) {
  filterNote.hidden = !wanted;
  noneWithText.hidden = !wanted || !flying.length || flying.some(matches);
  if (noneWithText.hidden) return;
  lists.flying.none.hidden = true;
  const told = fill(WORDS.none_with_text, { count: grouped(flying.length) });
  const words = noneWithText.querySelector("[data-none-with-text-words]");
  if (words.textContent !== told) words.textContent = told;
}
function look(text) {
  wanted = text.trim().toLowerCase();
  const address = new URL(location.href);
  wanted ? address.searchParams.set("text", text.trim()) : address.searchParams.delete("text");
  if (address.href !== location.href) history.replaceState(history.state, "", address);
  schedule();
}
filter.addEventListener("input", () => look(filter.value));
page.querySelector("[data-filter-clear]").addEventListener("click", () => {
  look((filter.value = ""));
  filter.focus();
});
look((filter.value = new URLSearchParams(location.search).get("text") ?? ""));

let drawnAt = 0;
function draw() {
  scheduled = false;
  drawnAt = performance.now();
  // What is not told any more stands still: nobody knows how it goes on.
  const isTold = socket.state === "live";
  const now = frozen ? frozen.now : (isTold ? Date.now() : socket.heardAt) + socket.skew;
  const flying = frozen ? frozen.flying : [...socket.flying.values()];
  const ended = frozen ? frozen.ended : [...socket.ended.values()];
  lists.flying.show(frozen ? newestFirst(flying.filter(matches)) : order.of(flying.filter(matches)), now);
  lists.ended.show(ended.filter(matches).reverse(), now);
  put(nodes.flying, grouped(flying.length));
  tellFilter(flying);
  tellNavigation(isTold ? socket.flying.size : 0);
  if (!frozen && isTold) {
    // Until a whole minute is known, what is known is scaled up to one.
    const watched = Math.min(60000, Math.max(5000, Date.now() - socket.knownFrom));
    put(nodes.started, shortCount((over("started", 60000) * 60000) / watched));
    put(nodes.speed, shortCount(over("tokens", 3000) / 3));
    put(nodes.spend, money(Math.round((over("cost", 60000) * 60000) / watched)));
  }
}
// Elapsed times move although nothing is told: five times a second, and at once when something is.
setInterval(() => {
  const pause = socket.flying.size ? 150 : 1000; // the figures of the last minute fade
  if (document.visibilityState === "visible" && !frozen && performance.now() - drawnAt > pause) schedule();
}, 200);
socket.addEventListener("change", schedule);
narrow.addEventListener("change", schedule);

const badge = page.querySelector("[data-connection]");
function sayState() {
  const state = frozen ? "paused" : socket.state;
  const time = clock(frozen ? frozenAt : socket.heardAt || Date.now(), page.dataset.zone);
  badge.classList.toggle("is-live", state === "live");
  badge.classList.toggle("is-lost", ["lost", "slow", "signed_out"].includes(state));
  badge.firstElementChild.textContent = state === "live" ? "●" : state === "paused" ? "❚❚" : "○";
  badge.lastElementChild.textContent = fill(WORDS[state] ?? WORDS.live, { time });
  page.querySelector("[data-sign-in]").hidden = state !== "signed_out";
  schedule();
}
socket.addEventListener("state", sayState);
sayState();

const pause = page.querySelector("[data-pause]");
pause.addEventListener("click", () => {
  frozen = frozen
    ? null
    : {
        now: Date.now() + socket.skew,
        flying: [...socket.flying.values()].map((call) => ({ ...call })),
        ended: [...socket.ended.values()].map((call) => ({ ...call })),
      };
  frozenAt = Date.now();
  pause.setAttribute("aria-pressed", String(Boolean(frozen)));
  pause.querySelector("[data-pause-word]").textContent = frozen ? WORDS.resume : WORDS.pause;
  sayState();
  schedule();
});

// For those who listen instead of look: the count, at most every ten seconds.
const said = page.querySelector("[data-live-said]");
setInterval(() => (said.textContent = fill(WORDS.said, { count: socket.flying.size })), 10000);
