// The page that shows a secret once: copies it, and makes sure a reload does not ask for another.
"use strict";

(() => {
  const page = document.querySelector("[data-secret-page]");
  if (!page) return;
  const secret = page.querySelector("[data-secret]");
  const button = page.querySelector("[data-copy]");
  const announce = document.querySelector("[data-announce]");

  // This page answered a POST: sending it again would make a second key.
  window.history.replaceState(null, "", page.dataset.settingsUrl);

  function select() {
    const range = document.createRange();
    range.selectNodeContents(secret);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(secret.textContent);
    } catch {
      // Without https the clipboard is closed to scripts, but not to the person.
      select();
      if (!document.execCommand("copy")) return;
    }
    button.textContent = button.dataset.copied;
    announce.textContent = button.dataset.copied;
  }

  button.addEventListener("click", copy);
})();
