// The Playground: one question to several models at once, each a conversation of its own, called as the
// chosen key by a grant that is good for a minute.

import { duration, fill, money, shortCount, words } from "./figures.js";

const page = document.getElementById("playground");
if (page) play();

function play() {
  const WORDS = words("play-words");
  const LARGEST_IMAGE = 5 * 1024 * 1024;
  const find = (name) => page.querySelector(`[data-play-${name}]`);
  const field = (name) => page.querySelector(`[data-play="${name}"]`);
  const [columns, said, form] = [find("columns"), find("said"), find("form")];
  const prompt = document.getElementById("play-prompt");
  const most = Number(page.dataset.most);
  const panes = [];
  let images = [];

  const say = (text) => (said.textContent = text);
  const refusal = (told) => Object.assign(new Error("refused"), { told });
  const node = (tag, kind = "", text = "") => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text) made.textContent = text;
    return made;
  };
  const cross = (label) => {
    const button = node("button", "gh-cross", "✕");
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    return button;
  };

  // One model's column: its conversation so far, and the answer that comes.
  class Pane {
    constructor(model) {
      this.turns = [];
      this.element = node("section", "gh-card gh-play-pane");
      this.element.setAttribute("aria-label", model);
      const head = node("header");
      this.model = node("input");
      this.model.value = model;
      this.model.setAttribute("list", "play-models");
      this.model.setAttribute("aria-label", WORDS.model);
      this.model.addEventListener("change", () => this.element.setAttribute("aria-label", this.model.value));
      this.close = cross(WORDS.remove);
      this.close.addEventListener("click", () => remove(this));
      head.append(this.model, this.close);
      this.log = node("div", "gh-play-log");
      this.log.tabIndex = 0;
      this.log.setAttribute("role", "log");
      this.log.setAttribute("aria-label", WORDS.conversation);
      this.log.dataset.empty = WORDS.empty;
      this.facts = node("p", "gh-play-facts");
      this.element.append(head, this.log, this.facts);
      columns.append(this.element);
    }

    say(who, kind = "") {
      const turn = node("div", `gh-play-turn ${kind}`.trim());
      const text = node("p");
      turn.append(node("b", "", who), text);
      this.log.append(turn);
      this.log.scrollTop = this.log.scrollHeight;
      return text;
    }

    // Turns of a call that is asked again, as they were.
    recall(turns) {
      this.turns = structuredClone(turns);
      for (const turn of turns) {
        const mine = turn.role !== "assistant";
        const who = turn.role === "tool" ? WORDS.tool_result : mine ? WORDS.you : WORDS.assistant;
        const text = this.say(who, mine ? "is-mine" : "");
        text.textContent = spelt(turn.content);
        for (const call of turn.tool_calls ?? []) {
          const name = fill(WORDS.call, { name: call.function?.name ?? "" });
          text.parentNode.append(node("pre", "gh-play-call", `${name}\n${call.function?.arguments ?? ""}`));
        }
      }
    }

    // Whether the model is to speak next.
    get waits() {
      return this.turns.length > 0 && this.turns.at(-1).role !== "assistant";
    }

    async ask(content, shown, options) {
      const model = this.model.value.trim();
      const asked = this.turns.length;
      if (content !== null) {
        this.say(WORDS.you, "is-mine").textContent = shown;
        this.turns.push({ role: "user", content });
      }
      this.stopper = new AbortController();
      this.answer = this.say(model);
      this.facts.replaceChildren(node("span", "gh-muted", WORDS.waiting));
      const result = { text: "", thoughts: "", calls: [], usage: null, started: performance.now(), first: 0, id: "" };
      try {
        await this.stream({ model, ...options, messages: [...(options.messages ?? []), ...this.turns] }, result);
        this.turns.push(spoken(result));
      } catch (problem) {
        this.turns.length = asked;
        this.fail(problem.name === "AbortError" ? WORDS.stopped : problem.told || WORDS.broken);
      }
      this.tell(result);
    }

    async stream(body, result) {
      const grant = await granted();
      const call = await fetch(new URL(page.dataset.call, location.href), {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${grant}`, "X-Gatehouse-Usage": "cost" },
        body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
        signal: this.stopper.signal,
      });
      result.id = call.headers.get("x-request-id") ?? "";
      if (!call.ok) {
        const told = await call.json().catch(() => ({}));
        throw refusal(told?.error?.message ?? `HTTP ${call.status}`);
      }
      for await (const event of events(call.body)) {
        if (event.error) throw refusal(event.error.message);
        if (event.usage) result.usage = event.usage;
        const delta = event.choices?.[0]?.delta;
        if (delta) this.take(delta, result);
      }
      result.ended = performance.now();
    }

    take(delta, result) {
      const words = delta.content || delta.refusal || "";
      const thought = delta.reasoning_content || delta.reasoning || "";
      if (!result.first && (words || thought || delta.tool_calls)) {
        result.first = performance.now();
        this.facts.replaceChildren(node("span", "", firstToken(result)));
      }
      result.text += words;
      result.thoughts += thought;
      for (const call of delta.tool_calls ?? []) {
        const known = (result.calls[call.index ?? 0] ??= { id: "", type: "function", function: { name: "", arguments: "" } });
        known.id ||= call.id ?? "";
        known.function.name += call.function?.name ?? "";
        known.function.arguments += call.function?.arguments ?? "";
      }
      this.drawing ||= requestAnimationFrame(() => this.draw(result));
    }

    // Once a frame, however many pieces came; who has scrolled away from the end stays where they are.
    draw(result) {
      this.drawing = 0;
      const follows = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
      this.answer.textContent = result.text;
      if (result.thoughts) {
        if (!this.answer.thoughts) {
          this.answer.thoughts = node("details", "gh-headers");
          this.answer.thoughts.append(node("summary", "", WORDS.thinking), node("p", "gh-muted"));
          this.answer.before(this.answer.thoughts);
        }
        this.answer.thoughts.lastChild.textContent = result.thoughts;
      }
      for (const [at, call] of result.calls.entries()) {
        const shown = ((this.answer.calls ??= [])[at] ??= this.answer.parentNode.appendChild(node("pre", "gh-play-call")));
        shown.textContent = `${fill(WORDS.call, { name: call.function.name })}\n${call.function.arguments}`;
      }
      if (follows) this.log.scrollTop = this.log.scrollHeight;
    }

    fail(text) {
      const problem = this.answer.parentNode.appendChild(node("p", "gh-warn-text", text));
      problem.setAttribute("role", "alert");
      this.log.scrollTop = this.log.scrollHeight;
    }

    tell(result) {
      if (this.drawing) cancelAnimationFrame(this.drawing);
      this.draw(result);
      const facts = [];
      if (result.first) facts.push(firstToken(result));
      facts.push(`${WORDS.took} ${duration((result.ended ?? performance.now()) - result.started)}`);
      const usage = result.usage;
      if (usage) {
        const counts = { input: shortCount(usage.prompt_tokens ?? 0), output: shortCount(usage.completion_tokens ?? 0) };
        facts.push(fill(WORDS.tokens, counts));
        facts.push(typeof usage.cost === "number" ? money(Math.round(usage.cost * 1e9)) : WORDS.unpriced);
      }
      this.facts.replaceChildren(...facts.map((text) => node("span", "", text)));
      if (!result.id) return;
      const link = node("a", "", WORDS.request);
      link.href = `${page.dataset.requests}${result.id}/`;
      this.facts.append(link);
    }
  }

  const firstToken = (result) => `${WORDS.first_token} ${duration(result.first - result.started)}`;

  // A turn's content as one reads it.
  function spelt(content) {
    if (typeof content === "string") return content;
    return (content ?? []).map((part) => part.text ?? `▣ ${part.type}`).join("\n");
  }

  function spoken(result) {
    const turn = { role: "assistant", content: result.text || null };
    if (result.calls.length) turn.tool_calls = result.calls;
    return turn;
  }

  // The data of each server-sent event, as it comes.
  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: {"));
        if (data) yield JSON.parse(data.slice(6));
      }
    }
  }

  async function granted() {
    const answer = await fetch(page.dataset.grant, {
      method: "POST",
      headers: { "X-CSRFToken": page.dataset.token },
      body: new URLSearchParams({ key: find("key").value }),
      redirect: "manual",
    });
    if (!answer.ok) throw refusal(WORDS.no_grant);
    return (await answer.json()).grant;
  }

  function add(model) {
    if (panes.length >= most) return;
    panes.push(new Pane(model));
    arrange();
  }

  function remove(pane) {
    pane.stopper?.abort();
    pane.element.remove();
    panes.splice(panes.indexOf(pane), 1);
    arrange();
  }

  function arrange() {
    find("add").disabled = panes.length >= most;
    columns.dataset.count = panes.length;
    for (const pane of panes) pane.close.hidden = panes.length < 2;
  }

  // What all models are asked alike; the word for what cannot be read of it.
  function options() {
    const chosen = {};
    if (field("more").value.trim()) {
      try {
        Object.assign(chosen, JSON.parse(field("more").value));
      } catch {
        return WORDS.more;
      }
      if (!field("more").value.trim().startsWith("{")) return WORDS.more;
    }
    const number = (name) => Number.parseFloat(field(name).value);
    if (field("system").value.trim()) chosen.messages = [{ role: "system", content: field("system").value }];
    if (!Number.isNaN(number("temperature"))) chosen.temperature = number("temperature");
    if (number("max_tokens") > 0) chosen.max_tokens = Math.round(number("max_tokens"));
    if (field("reasoning_effort").value) chosen.reasoning_effort = field("reasoning_effort").value;
    if (field("tools").value.trim()) {
      try {
        chosen.tools = JSON.parse(field("tools").value);
      } catch {
        return WORDS.tools;
      }
      if (!Array.isArray(chosen.tools)) return WORDS.tools;
    }
    return chosen;
  }

  async function send() {
    const text = prompt.value.trim();
    const chosen = options();
    const goesOn = !text && panes.every((pane) => pane.waits); // a call that is asked again as it was
    if (!text && !goesOn) return prompt.focus();
    if (typeof chosen === "string") return say(chosen);
    if (panes.some((pane) => !pane.model.value.trim())) return say(WORDS.no_model);
    say("");
    const pictures = images.map((url) => ({ type: "image_url", image_url: { url } }));
    const content = goesOn ? null : pictures.length ? [{ type: "text", text }, ...pictures] : text;
    writeCode(text, chosen, content);
    const shown = pictures.length ? `${text}\n▣ × ${pictures.length}` : text;
    prompt.value = "";
    images = [];
    drawImages();
    setBusy(true);
    await Promise.all(panes.map((pane) => pane.ask(content, shown, chosen)));
    setBusy(false);
    prompt.focus();
  }

  function setBusy(is) {
    find("send").disabled = find("key").disabled = is;
    find("stop").hidden = !is;
    columns.setAttribute("aria-busy", String(is));
  }

  // The first column's question as code: the page holds the texts with marks to be filled in.
  const texts = [...page.querySelectorAll("[data-played] code")].map((code) => [code, code.textContent]);
  function writeCode(text, chosen, content) {
    const body = { model: panes[0].model.value.trim(), ...chosen };
    body.messages = [...(chosen.messages ?? []), ...panes[0].turns];
    if (content !== null) body.messages.push({ role: "user", content });
    const told = JSON.stringify(body, null, 2).replaceAll("'", "\\u0027"); // quotes would end it in code
    const values = {
      "{base_url}": page.dataset.base,
      "{body}": told,
      "{model}": JSON.stringify(body.model),
      "{prompt}": JSON.stringify(text),
    };
    for (const [code, original] of texts) {
      code.textContent = original.replace(/\{(base_url|body|model|prompt)\}/g, (mark) => values[mark]);
    }
    find("code").hidden = false;
  }

  function drawImages() {
    find("images").replaceChildren(
      ...images.map((url, at) => {
        const item = node("li");
        const picture = node("img");
        picture.src = url;
        picture.alt = "";
        const away = cross(WORDS.remove_image);
        away.addEventListener("click", () => {
          images.splice(at, 1);
          drawImages();
        });
        item.append(picture, away);
        return item;
      }),
    );
  }

  function takeImages(files) {
    for (const file of files) {
      if (!file.type.startsWith("image/")) continue;
      if (file.size > LARGEST_IMAGE) {
        say(WORDS.too_large);
        continue;
      }
      const reader = new FileReader();
      reader.addEventListener("load", () => {
        images.push(reader.result);
        drawImages();
      });
      reader.readAsDataURL(file);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!find("send").disabled) send();
  });
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  prompt.addEventListener("paste", (event) => takeImages(event.clipboardData.files));
  find("file").addEventListener("change", (event) => {
    takeImages(event.target.files);
    event.target.value = "";
  });
  find("stop").addEventListener("click", () => panes.forEach((pane) => pane.stopper?.abort()));
  find("add").addEventListener("click", () => {
    // The next one that is not there yet: what is compared are different ones.
    const names = [...document.querySelectorAll("#play-models option")].map((each) => each.value);
    const taken = new Set(panes.map((pane) => pane.model.value));
    const from = names.indexOf(panes.at(-1)?.model.value) + 1;
    const next = [...names.slice(from), ...names.slice(0, from)].find((name) => !taken.has(name));
    add(next ?? panes.at(-1)?.model.value ?? "");
    panes.at(-1).model.select();
  });
  find("clear").addEventListener("click", () => {
    for (const pane of panes) {
      pane.stopper?.abort();
      pane.turns = [];
      pane.log.replaceChildren();
      pane.facts.replaceChildren();
    }
    prompt.focus();
  });
  find("key").addEventListener("change", () => {
    const address = new URL(location.href);
    const kept = panes.map((pane) => ["model", pane.model.value]);
    address.search = new URLSearchParams([["key", find("key").value], ...kept]);
    location.assign(address);
  });

  // What was asked in a call: its words in the conversation, the last of a person's in the field.
  async function replay() {
    const told = (text) => (find("replayed").textContent = text);
    const answer = await fetch(new URL(page.dataset.replay, location.href)).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!answer?.ok || !found) {
      return told(fill(WORDS.not_replayed, { told: found?.error?.message ?? found?.detail ?? WORDS.broken }));
    }
    const { messages, tools, temperature, max_tokens, max_completion_tokens, reasoning_effort, ...more } = found.body;
    const system = messages.filter((turn) => ["system", "developer"].includes(turn.role));
    const turns = messages.filter((turn) => !system.includes(turn));
    const fields = { system: system.map((turn) => spelt(turn.content)).join("\n\n"), temperature, reasoning_effort };
    fields.max_tokens = max_completion_tokens ?? max_tokens;
    fields.tools = tools && JSON.stringify(tools, null, 2);
    const short = JSON.stringify(more);
    fields.more = short === "{}" ? "" : short.length > 100 ? JSON.stringify(more, null, 2) : short;
    for (const [name, value] of Object.entries(fields)) field(name).value = value ?? "";
    page.querySelector(".gh-play-options").open = Object.values(fields).some(Boolean);
    const last = turns.at(-1);
    if (last?.role === "user" && typeof last.content === "string") prompt.value = turns.pop().content;
    for (const pane of panes) pane.recall(turns);
    const names = found.left_out.map((name) => WORDS[name] ?? name).join(", ");
    told(names ? fill(WORDS.replayed_without, { names }) : WORDS.replayed);
  }

  for (const start of [...columns.querySelectorAll("[data-play-start]")]) {
    add(start.dataset.playStart);
    start.remove();
  }
  if (page.dataset.replay) replay();
  prompt.focus();
}
