// A card that is opened brings its lines; what draws them comes with the first of them, and not with the page.

document.body.addEventListener("htmx:afterSwap", async (event) => {
  const box = event.detail.target.querySelector("[data-lines]");
  if (!box) return;
  await import(box.dataset.chart);
  const { show } = await import(box.dataset.lines);
  if (box.isConnected) show(box);
});
