// Lines over time, each drawing on its own scale: a part of a page that is fetched when it is asked for. A click
// opens the calls behind a point; the same is a table for whoever reads it, or goes by keys.

import { callsOf, css, paper } from "./chart_parts.js";
import { ChartTable } from "./chart_table.js";
import { duration, shortCount } from "./figures.js";

const UNITS = { duration: (ms) => (ms ? duration(ms) : "0"), count: shortCount, percent: (value) => `${value}\u202f%` };
const charts = new Map(); // a canvas -> its chart

function sets(data, drawing) {
  return drawing.lines.map((line) => {
    const colour = css(`--gh-s${line.colour}`);
    return {
      label: line.name,
      data: line.values,
      borderColor: colour,
      backgroundColor: colour,
      borderWidth: 1.5,
      pointRadius: line.values.filter((value) => value !== null).length > 40 ? 0 : 2,
      pointHitRadius: 8,
      spanGaps: false,
      segment: { borderDash: (part) => (data.unfinished !== null && part.p1DataIndex >= data.unfinished ? [3, 3] : undefined) },
    };
  });
}

function options(data, drawing) {
  const { ink, line } = paper();
  const isShare = drawing.unit === "percent";
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    onClick: (event, found, of) => {
      const [point] = of.getElementsAtEventForMode(event.native, "nearest", { intersect: false, axis: "xy" }, false);
      if (point) location.assign(callsOf(data, point.index, drawing.lines[point.datasetIndex].opens));
    },
    onHover: (event, found) => event.native.target.classList.toggle("cursor-pointer", found.length > 0),
    plugins: {
      legend: { display: false },
      tooltip: {
        callbacks: {
          title: (all) => (all.length ? data.times[all[0].dataIndex] : ""),
          label: (each) => ` ${each.dataset.label}  ${drawing.lines[each.datasetIndex].texts[each.dataIndex]}`,
        },
      },
    },
    scales: {
      x: { grid: { display: false }, border: { color: line }, ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 } },
      y: {
        ...(isShare ? { max: 100, suggestedMin: 90 } : { beginAtZero: true }),
        border: { display: false },
        grid: { color: line },
        ticks: { color: ink, maxTicksLimit: 4, callback: (value) => UNITS[drawing.unit](value) },
      },
    },
  };
}

// Where nothing was called there is nothing to open.
function columns(data) {
  const { drawings, tried, words } = data;
  const cell = (line, index) => {
    if (!tried[index]) return [words.nothing, ""];
    return line.values[index] === null ? [words.unknown, ""] : [line.texts[index], callsOf(data, index, line.opens)];
  };
  return drawings.flatMap(({ lines }) => lines.map((line) => ({ name: line.name, cell: (index) => cell(line, index) })));
}

function draw(box) {
  const data = JSON.parse(box.querySelector("script").textContent);
  box.querySelectorAll("canvas").forEach((canvas, at) => {
    const drawing = data.drawings[at];
    charts.get(canvas)?.destroy();
    charts.set(canvas, new Chart(canvas, { type: "line", data: { labels: data.labels, datasets: sets(data, drawing) }, options: options(data, drawing) }));
  });
  return data;
}

export function show(box) {
  const data = draw(box);
  const details = box.querySelector("[data-lines-table]");
  new ChartTable({ box: () => details, columns }).show(data);
}

new MutationObserver(() => document.querySelectorAll("[data-lines]").forEach(draw)).observe(document.documentElement, {
  attributes: true,
  attributeFilter: ["class"],
});
