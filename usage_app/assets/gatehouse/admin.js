// The admin's choosers are told by their fields' labels: select2 names its box by what is chosen alone.

const named = (box) => {
  const field = box.closest(".select2-container")?.previousElementSibling;
  const label = field?.labels?.[0]?.textContent.trim() || field?.getAttribute("aria-label");
  if (label && !box.getAttribute("aria-label")) {
    box.setAttribute("aria-label", label);
    box.removeAttribute("aria-labelledby");
  }
};

const nameAll = () => document.querySelectorAll(".select2-selection, .select2-selection__rendered").forEach(named);
document.addEventListener("DOMContentLoaded", () => {
  nameAll();
  // Rows of inlines are added later, and select2 draws its boxes after the page has loaded.
  new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
});
