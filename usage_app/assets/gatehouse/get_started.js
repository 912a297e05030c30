// From a provider's key to its models, through the management API.

import { fill, words } from "./figures.js";

const form = document.querySelector("[data-connect]");
if (form) {
  const WORDS = words("connect-words");
  const said = document.querySelector("[data-connect-said]");
  const chooser = document.querySelector("[data-connect-models]");
  const list = document.querySelector("[data-model-list]");
  const token = form.elements.csrfmiddlewaretoken.value;
  let provider = null;

  const say = (text, isError = false) => {
    said.textContent = text;
    said.classList.toggle("is-error", isError);
  };

  async function ask(method, path, body) {
    const answer = await fetch(new URL(`../api/v1/${path}`, new URL(document.body.dataset.root, location.href)), {
      method,
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: body && JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(sentence(told) || `HTTP ${answer.status}`);
    return told;
  }

  // The API's problems: {"error": {"message"}}, {"detail"} or {"field": ["…"]}.
  function sentence(told) {
    if (told.error?.message) return told.error.message;
    if (told.detail) return String(told.detail);
    return Object.values(told).flat().filter((each) => typeof each === "string").join(" ");
  }

  const kind = form.elements.kind;
  const showKind = () => {
    const option = kind.selectedOptions[0];
    form.elements.credential.placeholder = option.dataset.hint;
    form.querySelector("[data-address]").hidden = !("needsAddress" in option.dataset);
    form.elements.base_url.required = "needsAddress" in option.dataset;
  };
  kind.addEventListener("change", showKind);
  showKind();

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    button.disabled = true;
    say(WORDS.testing);
    try {
      const body = { kind: kind.value, name: provider?.name ?? nameFor(), credential: form.elements.credential.value };
      if (form.elements.base_url.value) body.base_url = form.elements.base_url.value;
      provider = provider ? await ask("PATCH", `providers/${provider.id}/`, body) : await ask("POST", "providers/", body);
      const test = await ask("POST", `providers/${provider.id}/test/`);
      if (test.ok === false) return say(fill(WORDS.refused, { told: test.detail ?? test.error ?? "" }), true);
      say(WORDS.listing);
      show(await ask("GET", `providers/${provider.id}/models/`));
    } catch (failure) {
      say(fill(WORDS.failed, { told: failure.message }), true);
    } finally {
      button.disabled = false;
    }
  });

  function nameFor() {
    const isNamed = !form.elements.base_url.value || form.querySelector("[data-address]").hidden;
    const wanted = isNamed ? kind.value : new URL(form.elements.base_url.value).hostname.replace(/[^a-z0-9]+/g, "-");
    const taken = form.dataset.taken.split(" ");
    let name = wanted;
    for (let number = 2; taken.includes(name); number += 1) name = `${wanted}-${number}`;
    return name;
  }

  function show(told) {
    const models = (told.models ?? told.results ?? told).map((each) => (typeof each === "string" ? { name: each } : each));
    if (!models.length) return say(WORDS.no_models);
    list.replaceChildren(
      ...models.map((model) => {
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.name = "model";
        box.value = model.name ?? model.id;
        box.checked = Boolean(model.current);
        label.append(box, box.value);
        return label;
      }),
    );
    chooser.hidden = false;
    say("");
    chooser.querySelector("[data-model-filter]").focus();
  }

  document.querySelector("[data-model-filter]").addEventListener("input", (event) => {
    const text = event.target.value.trim().toLowerCase();
    for (const label of list.children) label.hidden = !label.textContent.toLowerCase().includes(text);
  });

  chooser.addEventListener("submit", async (event) => {
    event.preventDefault();
    const names = [...list.querySelectorAll("input:checked")].map((box) => box.value);
    if (!names.length) return say(WORDS.choose, true);
    event.submitter.disabled = true;
    say(WORDS.adding);
    try {
      for (const name of names) {
        await ask("POST", "models/", { name, deployments: [{ provider: provider.id, upstream_model: name }] });
      }
      say(fill(WORDS.added, { count: names.length }));
      location.assign(`?model=${encodeURIComponent(names[0])}`);
    } catch (failure) {
      say(fill(WORDS.failed, { told: failure.message }), true);
    } finally {
      event.submitter.disabled = false;
    }
  });
}
