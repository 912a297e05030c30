// The chart as a table: a line a bucket, a column a colour, every number a link to its calls. Made when it is
// opened; afterwards only what changes is written, so that who reads it keeps their place.

export class ChartTable {
  // `shown` writes a number as the chart does; `address` leads to the calls of a bucket and a colour.
  constructor({ shown, address }) {
    this.shown = shown;
    this.address = address;
    document.addEventListener("toggle", (event) => event.target.matches("[data-chart-table]") && this.fill(), true);
  }

  show(data) {
    this.data = data;
    this.fill();
  }

  fill() {
    const box = document.querySelector("[data-chart-table]");
    if (!box?.open || !this.data) return;
    const shape = JSON.stringify([this.data.starts, this.data.layers.map((layer) => layer.name)]);
    if (this.shape !== shape || !box.querySelector("table")) {
      this.shape = shape;
      box.lastElementChild.replaceChildren(this.made());
    }
    this.data.starts.forEach((_start, index) => {
      const { layers, unpriced } = this.data;
      const sum = layers.reduce((all, layer) => all + layer.values[index], 0);
      this.write(index, 0, sum, unpriced[index], this.address(index));
      layers.forEach((layer, at) => {
        this.write(index, at + 1, layer.values[index], layer.unpriced[index], this.address(index, layer));
      });
    });
  }

  write(line, column, value, unpriced, address) {
    const link = document.getElementById(`chart-cell-${line}-${column}`);
    const text = this.shown(value, unpriced);
    if (link.textContent !== text) link.textContent = text;
    // What counts nothing opens nothing.
    if (!value && !unpriced) link.removeAttribute("href");
    else if (link.href !== address) link.href = address;
  }

  made() {
    const { times, starts, layers, words } = this.data;
    const table = document.createElement("table");
    table.className = "gh-table";
    const head = table.createTHead().insertRow();
    for (const [at, name] of [words.time, words.sum, ...layers.map((layer) => layer.name)].entries()) {
      head.append(Object.assign(document.createElement("th"), { scope: "col", className: at ? "is-number" : "", textContent: name }));
    }
    const body = table.createTBody();
    times.forEach((time, line) => {
      const row = body.insertRow();
      row.append(Object.assign(document.createElement("th"), { scope: "row", title: starts[line], textContent: time }));
      for (let column = 0; column <= layers.length; column += 1) {
        const cell = row.insertCell();
        cell.className = "is-number";
        cell.append(Object.assign(document.createElement("a"), { id: `chart-cell-${line}-${column}` }));
      }
    });
    return table;
  }
}
