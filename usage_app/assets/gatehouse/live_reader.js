// What is said in one call, as it comes: asked for by a button of its row, shown in a panel of its own.
//
// Each frame tells what is new under a heading and how much of what was shown before still holds. A gap in
// the frames, or a new connection, asks for all of it again.

const HEADINGS = ["thoughts", "text", "calls"];
const PATIENCE_MS = 3000;

export class Reader {
  constructor(page, socket, words) {
    this.socket = socket;
    this.words = words;
    this.requests = page.dataset.requests;
    this.panel = page.querySelector("[data-said]");
    this.icon = page.querySelector("[data-said-icon]").content.firstElementChild;
    this.box = this.panel.querySelector("[data-said-text]");
    this.state = this.panel.querySelector("[data-said-state]");
    this.call = null;
    this.panel.querySelector("[data-said-close]").addEventListener("click", () => this.leave());
    socket.addEventListener("said", (event) => this.hear(event.detail));
    socket.addEventListener("opened", () => this.call && !this.isOver && this.ask());
    this.parts = {};
    for (const name of HEADINGS) {
      const title = document.createElement("h3");
      title.textContent = words[name] ?? "";
      const text = document.createElement("p");
      text.className = `is-${name}`;
      text.append((this.parts[name] = document.createTextNode("")));
      this.box.append(title, text);
      title.hidden = text.hidden = true;
    }
  }

  // A row's button; `called` gives the call that the row shows now.
  button(called) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "gh-live-read";
    button.hidden = true;
    button.append(this.icon.cloneNode(true));
    button.addEventListener("click", (event) => {
      event.preventDefault();
      this.read(called(), button);
    });
    return button;
  }

  read(call, button) {
    this.call = call;
    this.opener = button;
    this.panel.querySelector("[data-said-call]").textContent = [call.model, call.key || call.hint].filter(Boolean).join(" · ");
    this.panel.querySelector("[data-said-request]").href = `${this.requests}${call.id}/`;
    this.panel.hidden = false;
    this.ask();
    this.panel.scrollIntoView({ block: "nearest" });
  }

  ask() {
    this.next = 0;
    this.isOver = false;
    for (const name of HEADINGS) this.put(name, "");
    this.state.textContent = this.words.nothing_said;
    this.socket.send({ read: this.call.id });
    clearTimeout(this.waiting);
    // Who holds the call answers at once; silence means that it has just ended.
    this.waiting = setTimeout(() => this.next || this.end(this.words.not_readable), PATIENCE_MS);
  }

  hear(frame) {
    if (!this.call || frame.call !== this.call.id || this.isOver) return;
    if (frame.n !== this.next) return frame.n > this.next && this.ask();
    this.next += 1;
    const atEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 40;
    for (const [name, [kept, text]] of Object.entries(frame.said)) {
      this.put(name, this.parts[name].nodeValue.slice(0, kept) + text);
    }
    if (atEnd) this.box.scrollTop = this.box.scrollHeight;
    if (frame.over) return this.end(this.words.read_to_end);
    if (HEADINGS.some((name) => this.parts[name].nodeValue)) this.state.textContent = this.words.reading;
  }

  put(name, text) {
    const node = this.parts[name];
    if (node.nodeValue !== text) node.nodeValue = text;
    const paragraph = node.parentElement;
    paragraph.hidden = text === "";
    paragraph.previousElementSibling.hidden = text === "" || name === "text";
  }

  end(word) {
    this.isOver = true;
    this.state.textContent = word;
  }

  leave() {
    clearTimeout(this.waiting);
    this.socket.send({ read: "" });
    this.call = null;
    this.panel.hidden = true;
    this.opener?.focus();
  }
}
