// The live socket: keeps every worker's calls as told, notices gaps and silence, comes back by itself.
//
// Frames of a worker's group carry the worker's epoch and a sequence. A gap, or three seconds without
// a word, drops that worker's calls and asks for the whole picture again.

const SILENCE_MS = 3000;
const MAX_WAIT_MS = 15000;
const MINUTE_MS = 60000;
const KEEP_ENDED = 200;
const CALM = 4;

export class LiveSocket extends EventTarget {
  constructor(path) {
    super();
    this.address = new URL(path, location.href);
    this.address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.flying = new Map(); // id -> call
    this.ended = new Map(); // id -> call, oldest first
    this.sources = new Map(); // epoch and group -> {seq, heardAt}
    this.skew = 0; // the server's clock minus ours, ms
    this.tries = 0;
    this.heardAt = 0;
    this.pictured = new Set(); // sources whose first picture came
    this.since = Date.now();
    this.knownFrom = this.since - MINUTE_MS; // all calls that began from here on were told of
    this.open();
    setInterval(() => this.listen(), 1000);
  }

  open() {
    this.say("connecting");
    this.socket = new WebSocket(this.address);
    this.socket.onopen = () => {
      this.tries = 0;
      this.heardAt = Date.now();
      this.clear();
      this.say("live");
      this.dispatchEvent(new CustomEvent("opened"));
    };
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.socket.onclose = (event) => {
      if (event.code === 4401) return this.say("signed_out");
      this.say(event.code === 4408 ? "slow" : "lost");
      this.tries += 1;
      setTimeout(() => this.open(), Math.min(MAX_WAIT_MS, 500 * 2 ** Math.min(this.tries, 5)) * (0.5 + Math.random() / 2));
    };
  }

  say(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  clear() {
    this.sources.clear();
    this.flying.clear();
  }

  hear(frame) {
    if (frame.reset) return this.clear();
    if (frame.said) return this.dispatchEvent(new CustomEvent("said", { detail: frame }));
    const name = `${frame.epoch} ${frame.group}`;
    const source = this.sources.get(name);
    this.heardAt = Date.now();
    this.skew = frame.now - this.heardAt;
    const isFirst = frame.whole && !this.pictured.has(name);
    if (isFirst) this.picture(name, frame.from);
    if (frame.whole) {
      this.drop(name);
      this.sources.set(name, { seq: frame.seq, heardAt: this.heardAt });
    } else {
      if (!source || frame.seq <= source.seq) return;
      if (frame.seq !== source.seq + 1) {
        this.drop(name);
        return this.again();
      }
      source.seq = frame.seq;
      source.heardAt = this.heardAt;
    }
    for (const row of frame.open) this.put(row, name, !frame.whole, isFirst);
    for (const [id, changes] of frame.move ?? []) {
      const call = this.flying.get(id);
      if (!call) continue;
      this.count(call, changes);
      Object.assign(call, changes);
    }
    // One that ends among few is shown to have; in a flood that would be a flicker.
    this.isCalm = frame.end.length <= CALM;
    for (const row of frame.end) this.end(row, !frame.whole, isFirst);
    this.dispatchEvent(new CustomEvent("change"));
  }

  // A source's first picture tells of calls that began before it: what they were counts for the last minute.
  picture(name, from) {
    this.pictured.add(name);
    const isOpening = Date.now() - this.since < SILENCE_MS;
    if (isOpening && from) this.knownFrom = Math.max(this.knownFrom, from - this.skew);
  }

  recall(row) {
    const now = Date.now() + this.skew;
    const until = row.status ? row.ended : now;
    this.tell("started", row, 1, row.at - this.skew);
    const lately = Math.max(0, until - Math.max(row.at, now - MINUTE_MS)) / Math.max(1, until - row.at);
    if (row.cost) this.tell("cost", row, row.cost * Math.min(1, lately), until - this.skew);
  }

  put(row, source, isNew, isFirst) {
    if (this.ended.has(row.id)) return;
    const call = this.flying.get(row.id);
    if (call) {
      Object.assign(call, row);
    } else {
      this.flying.set(row.id, { ...row, source });
      if (isFirst) this.recall(row);
      if (isNew) this.tell("started", row, 1);
      if (isNew && row.tokens) this.tell("tokens", row, row.tokens);
    }
  }

  count(call, changes) {
    if (changes.tokens > call.tokens) this.tell("tokens", call, changes.tokens - call.tokens);
    if ((changes.cost ?? 0) > (call.cost ?? 0)) this.tell("cost", call, changes.cost - (call.cost ?? 0));
  }

  end(row, isNew, isFirst) {
    if (this.ended.has(row.id)) return;
    const call = this.flying.get(row.id);
    if (isFirst && !call) this.recall(row);
    if (isNew) {
      if (!call) this.tell("started", row, 1);
      this.count(call ?? { tokens: 0, cost: 0 }, row);
    }
    this.flying.delete(row.id);
    this.ended.set(row.id, { ...row, freshUntil: isNew && this.isCalm ? Date.now() + 2000 : 0 });
    while (this.ended.size > KEEP_ENDED) this.ended.delete(this.ended.keys().next().value);
  }

  tell(name, call, amount, at = Date.now()) {
    this.dispatchEvent(new CustomEvent(name, { detail: { call, amount, at } }));
  }

  drop(name) {
    this.sources.delete(name);
    for (const [id, call] of this.flying) if (call.source === name) this.flying.delete(id);
  }

  listen() {
    if (this.state !== "live" && this.state !== "stale") return;
    const now = Date.now();
    let silent = false;
    for (const [name, source] of this.sources) {
      if (now - source.heardAt > SILENCE_MS) {
        this.drop(name);
        silent = true;
      }
    }
    if (silent || (!this.sources.size && now - this.heardAt > SILENCE_MS)) {
      this.again();
      this.dispatchEvent(new CustomEvent("change"));
    }
  }

  again() {
    this.send({ again: true });
  }

  send(wish) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(wish));
  }
}
