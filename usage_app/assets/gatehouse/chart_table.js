// A chart as a table: a line a bucket, a column a colour, every number a link to its calls. Made when it is
// opened; afterwards only what changes is written, so that who reads it keeps their place.

export class ChartTable {
  // `box` finds the details to fill; `columns` makes of the data what stands beside the times: a name, and a
  // cell for each bucket, [text, address of its calls or ""].
  constructor({ box, columns }) {
    this.box = box;
    this.columns = columns;
    document.addEventListener("toggle", (event) => event.target === this.box() && this.fill(), true);
  }

  show(data) {
    this.data = data;
    this.fill();
  }

  fill() {
    const box = this.box();
    if (!box?.open || !this.data) return;
    const columns = this.columns(this.data);
    const shape = JSON.stringify([this.data.starts, columns.map((column) => column.name)]);
    if (this.shape !== shape || !box.querySelector("table")) {
      this.shape = shape;
      box.lastElementChild.replaceChildren(this.made(box.id, columns));
    }
    this.data.starts.forEach((_start, line) => {
      columns.forEach((column, at) => this.write(`${box.id}-${line}-${at}`, ...column.cell(line)));
    });
  }

  write(id, text, address) {
    const link = document.getElementById(id);
    if (link.textContent !== text) link.textContent = text;
    if (!address) link.removeAttribute("href");
    else if (link.href !== address) link.href = address;
  }

  made(id, columns) {
    const { times, starts, words } = this.data;
    const table = document.createElement("table");
    table.className = "gh-table";
    const head = table.createTHead().insertRow();
    for (const [at, name] of [words.time, ...columns.map((column) => column.name)].entries()) {
      head.append(Object.assign(document.createElement("th"), { scope: "col", className: at ? "is-number" : "", textContent: name }));
    }
    const body = table.createTBody();
    times.forEach((time, line) => {
      const row = body.insertRow();
      row.append(Object.assign(document.createElement("th"), { scope: "row", title: starts[line], textContent: time }));
      columns.forEach((_column, at) => {
        const cell = row.insertCell();
        cell.className = "is-number";
        cell.append(Object.assign(document.createElement("a"), { id: `${id}-${line}-${at}` }));
      });
    });
    return table;
  }
}
