// What every chart has in common: the colours of its paper, and the calls behind a bucket.

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Ink and lines of the theme; its letters are those of every chart.
export function paper() {
  const dark = document.documentElement.classList.contains("dark");
  Chart.defaults.font.family = css("--font-sans") || "Inter";
  Chart.defaults.font.size = 12;
  return { ink: css(dark ? "--color-base-400" : "--color-base-500"), line: css(dark ? "--color-base-800" : "--color-base-200") };
}

// The address of a bucket's calls; `opens` are the parameters of Requests that leave those of one line of it.
export function callsOf(data, index, opens) {
  const found = new URL("requests/", new URL(document.body.dataset.root, location.href));
  const asked = { ...data.narrowed, ...opens, since: [data.starts[index]], until: [data.starts[index + 1] ?? data.until] };
  for (const [name, values] of Object.entries(asked)) {
    for (const value of values) found.searchParams.append(name, value);
  }
  return found.href;
}
