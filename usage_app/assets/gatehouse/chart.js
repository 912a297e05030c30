// A page's one chart: stacked bars, the open bucket hatched, a click opens the calls behind a bar.

import { grouped, money, shortCount } from "./figures.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let chart = null;
let data = null;
let drawn = "";

function hatched(colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  for (const [x1, y1, x2, y2] of [[0, 6, 6, 0], [-1, 1, 1, -1], [5, 7, 7, 5]]) {
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

const shown = (value) => (data.unit === "money" ? money(value) : grouped(value));

function sets() {
  return data.layers.map((layer) => {
    const colour = css(`--gh-s${layer.colour}`);
    const open = hatched(colour);
    return {
      label: layer.name,
      entity: layer.id,
      data: layer.values,
      backgroundColor: layer.values.map((_, at) => (data.unfinished !== null && at >= data.unfinished ? open : colour)),
      legend: colour,
      borderRadius: 2,
      borderSkipped: false,
      maxBarThickness: 42,
      categoryPercentage: 0.86,
      barPercentage: 0.94,
      stack: "all",
    };
  });
}

function options() {
  const ink = css(document.documentElement.classList.contains("dark") ? "--color-base-400" : "--color-base-500");
  const line = css(document.documentElement.classList.contains("dark") ? "--color-base-800" : "--color-base-200");
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    onClick: (_event, found) => found.length && open(found[0].index),
    onHover: (event, found) => event.native.target.classList.toggle("cursor-pointer", found.length > 0),
    plugins: {
      legend: { display: false },
      tooltip: {
        itemSort: (a, b) => b.raw - a.raw,
        filter: (each) => each.raw > 0,
        callbacks: {
          label: (each) => ` ${each.dataset.label}  ${shown(each.raw)}`,
          labelColor: (each) => ({ backgroundColor: each.dataset.legend, borderColor: each.dataset.legend }),
          footer: (all) => `${data.sum}  ${shown(all.reduce((sum, each) => sum + each.raw, 0))}`,
        },
      },
    },
    scales: {
      x: { stacked: true, grid: { display: false }, border: { color: line }, ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 } },
      y: {
        stacked: true,
        beginAtZero: true,
        border: { display: false },
        grid: { color: line },
        ticks: { color: ink, maxTicksLimit: 5, callback: (value) => (data.unit === "money" ? money(value) : shortCount(value)) },
      },
    },
  };
}

function open(index) {
  const address = new URL("requests/", new URL(document.body.dataset.root, location.href));
  const start = data.starts[index];
  const end = data.starts[index + 1] ?? data.until;
  for (const [name, values] of Object.entries(data.narrowed ?? {})) {
    for (const value of values) address.searchParams.append(name, value);
  }
  address.searchParams.set("since", start);
  address.searchParams.set("until", end);
  location.assign(address);
}

function draw(force) {
  // Looked up each time: an empty page has no chart until its first call.
  const box = document.getElementById("page-chart");
  if (chart && !chart.canvas?.isConnected) {
    chart.destroy();
    chart = null;
    force = true;
  }
  const source = document.getElementById("page-chart-data");
  if (!box || !source || !window.Chart) return;
  if (!force && source.textContent === drawn) return;
  drawn = source.textContent;
  data = JSON.parse(drawn);
  Chart.defaults.font.family = css("--font-sans") || "Inter";
  Chart.defaults.font.size = 12;
  const config = { labels: data.labels, datasets: sets() };
  if (chart) {
    chart.data = config;
    chart.options = options();
    chart.update("none");
  } else {
    chart = new Chart(box.querySelector("canvas"), { type: "bar", data: config, options: options() });
  }
}

draw(true);
document.body.addEventListener("htmx:afterSwap", () => draw(false));
new MutationObserver(() => draw(true)).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
