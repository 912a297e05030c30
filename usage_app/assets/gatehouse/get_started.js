// From a provider's key to the first answered call, through the management API.

import { duration, fill, money, words } from "./figures.js";

const form = document.querySelector("[data-connect]");
if (form) connect();

function connect() {
  const WORDS = words("connect-words");
  const said = document.querySelector("[data-connect-said]");
  const chooser = document.querySelector("[data-connect-models]");
  const taken = document.querySelector("[data-connect-taken]");
  const trial = document.querySelector("[data-connect-trial]");
  const list = document.querySelector("[data-model-list]");
  const filter = document.querySelector("[data-model-filter]");
  const token = form.elements.csrfmiddlewaretoken.value;
  const kind = form.elements.kind;
  const home = new URL(document.body.dataset.root, location.href);
  let provider = null;

  const say = (text, isError = false) => {
    said.textContent = text;
    said.classList.toggle("is-error", isError);
  };

  class Refused extends Error {
    constructor(status, told) {
      super(sentence(told) || `HTTP ${status}`);
      this.status = status;
    }
  }

  async function ask(method, path, body) {
    const answer = await fetch(new URL(`../api/v1/${path}`, home), {
      method,
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: body && JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(answer.status, told);
    return told;
  }

  // The API's problems: {"error": {"message"}}, {"detail"} or {"field": ["…"]}.
  function sentence(told) {
    if (told.error?.message) return told.error.message;
    if (told.detail) return String(told.detail);
    return Object.values(told).flat().filter((each) => typeof each === "string").join(" ");
  }

  // One step at a time: its button rests, and whatever goes wrong is said.
  function onSubmit(element, step) {
    element.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = event.submitter ?? element.querySelector("button");
      button.disabled = true;
      try {
        await step(button);
      } catch (failure) {
        say(fill(WORDS.failed, { told: failure.message }), true);
      } finally {
        button.disabled = false;
      }
    });
  }

  const showKind = () => {
    const option = kind.selectedOptions[0];
    const needsAddress = "needsAddress" in option.dataset;
    form.elements.credential.placeholder = option.dataset.hint;
    form.elements.base_url.required = needsAddress;
    form.elements.base_url.placeholder = needsAddress ? "https://example.com/v1" : WORDS.own_address;
  };
  kind.addEventListener("change", () => {
    provider = null;
    showKind();
  });
  showKind();

  onSubmit(form, async () => {
    for (const panel of [chooser, taken, trial]) panel.hidden = true;
    say(WORDS.testing);
    provider = await saved();
    const test = await ask("POST", `providers/${provider.id}/test/`);
    if (!test.ok) return say(test.code === "credential_refused" ? WORDS.wrong_key : fill(WORDS.refused, { told: test.detail }), true);
    provider = await ask("PATCH", `providers/${provider.id}/`, { is_enabled: true });
    if (!test.models.length) return say(WORDS.no_models);
    say(fill(WORDS.works, { count: test.models.length, time: duration(test.duration_ms ?? 0) }));
    choose(test.models);
  });

  // Until its key worked a provider stays switched off; one that was left so is taken up again.
  async function saved() {
    const body = { kind: kind.value, credential: form.elements.credential.value };
    if (form.elements.base_url.value) body.base_url = form.elements.base_url.value;
    if (provider) return ask("PATCH", `providers/${provider.id}/`, body);
    const wanted = form.elements.base_url.value
      ? new URL(form.elements.base_url.value).hostname.replace(/[^a-z0-9]+/gi, "-")
      : kind.value.replaceAll("_", "-");
    const known = (await ask("GET", "providers/?limit=500")).results;
    const left = known.find((each) => each.kind === kind.value && !each.is_enabled && !each.managed_by && each.name.startsWith(wanted));
    if (left) return ask("PATCH", `providers/${left.id}/`, { base_url: "", ...body });
    let name = wanted;
    for (let number = 2; known.some((each) => each.name === name); number += 1) name = `${wanted}-${number}`;
    return ask("POST", "providers/", { ...body, name, is_enabled: false });
  }

  function choose(models) {
    list.replaceChildren(
      ...models.map((model) => {
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.name = "model";
        box.value = model.id;
        box.checked = models.length === 1;
        label.append(box, model.id);
        if (model.label && model.label !== model.id) label.title = model.label;
        return label;
      }),
    );
    filter.hidden = models.length < 12;
    chooser.hidden = false;
    (filter.hidden ? list.querySelector("input") : filter).focus();
  }

  filter.addEventListener("input", () => {
    const text = filter.value.trim().toLowerCase();
    for (const label of list.children) label.hidden = !label.textContent.toLowerCase().includes(text);
  });

  onSubmit(chooser, async () => {
    const names = [...list.querySelectorAll("input:checked")].map((box) => box.value);
    if (!names.length) return say(WORDS.choose, true);
    say(WORDS.adding);
    const added = [];
    const known = new Set((await ask("GET", "models/?limit=500")).results.map((model) => model.name));
    const existing = names.filter((name) => known.has(name));
    for (const name of names.filter((each) => !known.has(each))) {
      try {
        added.push(await ask("POST", "models/", { name, deployments: [{ provider: provider.id, upstream_model: name }] }));
      } catch (failure) {
        if (failure.status !== 409) throw failure;
        existing.push(name);
      }
    }
    chooser.hidden = true;
    const ready = added.map((model) => ({ model: model.name, deployment: model.deployments[0].id }));
    if (!existing.length) return tryOut(ready);
    say(fill(WORDS.exist, { names: existing.join(", "), provider: provider.name }));
    taken.hidden = false;
    taken.names = existing;
    taken.ready = ready;
    taken.querySelector("button").focus();
  });

  // A model of that name is served already: this provider may share its load, or be left out of it.
  onSubmit(taken, async (button) => {
    if (button.value === "share") {
      say(WORDS.adding);
      while (taken.names.length) {
        const model = taken.names[0];
        const made = await ask("POST", "deployments/", { model, provider: provider.id, upstream_model: model });
        taken.ready.push({ model, deployment: made.id });
        taken.names.shift();
      }
    }
    taken.hidden = true;
    if (taken.ready.length) return tryOut(taken.ready);
    say(WORDS.left);
  });

  // The first real call, so that the reader sees one answered before writing any code.
  async function tryOut(ready) {
    const [{ model, deployment }] = ready;
    say(fill(WORDS.calling, { model }));
    const told = await ask("POST", `deployments/${deployment}/test/`, {});
    const counted = ready.length === 1 ? fill(WORDS.ready_one, { model }) : fill(WORDS.ready, { count: ready.length });
    const cost = told.cost_usd === null ? WORDS.unpriced : money(Math.round(Number(told.cost_usd) * 1e9));
    const outcome = told.ok
      ? fill(WORDS.answered, { model, time: duration(told.duration_ms ?? 0), cost })
      : fill(WORDS.not_answered, { model, told: told.detail });
    say(`${counted} ${outcome}`, !told.ok);
    const [look, next] = trial.querySelectorAll("a");
    look.hidden = !told.request_id;
    look.href = new URL(`requests/${told.request_id}/`, home).href;
    const address = new URL(location.href);
    address.searchParams.set("model", model);
    address.hash = "client";
    next.href = address.href;
    trial.hidden = false;
    next.focus();
  }
}
