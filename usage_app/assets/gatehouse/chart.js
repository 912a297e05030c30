// A page's one chart: stacked bars, the open bucket hatched, a click opens the calls behind a bar. The same is
// a table for whoever reads it, or goes by keys.

import { callsOf, css, paper } from "./chart_parts.js";
import { ChartTable } from "./chart_table.js";
import { grouped, money, shortCount } from "./figures.js";

let chart = null;
let data = null;
let drawn = "";
const table = new ChartTable({ box: () => document.querySelector("[data-chart-table]"), columns });

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

// A sum that calls without a price would add to ends with a plus; nothing but such calls has no sum.
function shown(value, unpriced = 0) {
  if (data.unit !== "money") return grouped(value);
  return unpriced && !value ? data.words.unpriced : money(value) + (unpriced ? "+" : "");
}

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
  const { ink, line } = paper();
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    onClick: (event, found, of) => {
      if (!found.length) return;
      const [bar] = of.getElementsAtEventForMode(event.native, "nearest", { intersect: true }, false);
      location.assign(address(found[0].index, bar && data.layers[bar.datasetIndex]));
    },
    onHover: (event, found) => event.native.target.classList.toggle("cursor-pointer", found.length > 0),
    plugins: {
      legend: { display: false },
      tooltip: {
        itemSort: (a, b) => b.raw - a.raw,
        filter: (each) => each.raw > 0,
        callbacks: {
          title: (all) => (all.length ? data.times[all[0].dataIndex] : ""),
          label: (each) => ` ${each.dataset.label}  ${shown(each.raw, data.layers[each.datasetIndex].unpriced[each.dataIndex])}`,
          labelColor: (each) => ({ backgroundColor: each.dataset.legend, borderColor: each.dataset.legend }),
          footer: (all) => {
            const unpriced = data.unpriced[all[0]?.dataIndex] ?? 0;
            const sum = `${data.words.sum}  ${shown(all.reduce((sum, each) => sum + each.raw, 0), unpriced)}`;
            return unpriced ? [sum, `${data.words.left_out}  ${grouped(unpriced)}`] : sum;
          },
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

// The calls of a bucket: of one colour, or of all.
function address(index, layer) {
  return callsOf(data, index, layer?.opens);
}

// What counts nothing opens nothing.
function columns({ layers, unpriced, words }) {
  const cell = (value, without, index, layer) => [shown(value, without), value || without ? address(index, layer) : ""];
  const sum = (index) => layers.reduce((all, layer) => all + layer.values[index], 0);
  return [
    { name: words.sum, cell: (index) => cell(sum(index), unpriced[index], index) },
    ...layers.map((layer) => ({ name: layer.name, cell: (index) => cell(layer.values[index], layer.unpriced[index], index, layer) })),
  ];
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
  table.show(data);
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
