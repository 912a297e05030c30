// A table that is wider than paper is printed as several, one under another: each has the names of its lines,
// their sums, and as many of the other columns as find room. On screen there is the one table as ever.

const ROOM = 960; // px within the margins of a sheet on its side, of A4 and of Letter
const KEPT = 3; // the first columns: name, sum, share
const table = document.querySelector(".gh-table.is-pivot");

/** Where each part's own columns begin and end. */
function spans() {
  const widths = [...table.tHead.rows[0].cells].map((head) => head.offsetWidth);
  const kept = widths.slice(0, KEPT).reduce((sum, width) => sum + width, 0);
  const found = [];
  let used = ROOM;
  for (let at = KEPT; at < widths.length; at += 1) {
    if (used + widths[at] > ROOM) {
      found.push([at, at]);
      used = kept;
    }
    found.at(-1)[1] = at + 1;
    used += widths[at];
  }
  return found;
}

function part(from, to) {
  const copy = table.cloneNode(false);
  copy.removeAttribute("id");
  copy.classList.add("is-part");
  for (const section of table.children) {
    const rows = copy.appendChild(section.cloneNode(false));
    for (const row of section.rows) {
      const cells = rows.appendChild(row.cloneNode(false));
      for (const cell of [...[...row.cells].slice(0, KEPT), ...[...row.cells].slice(from, to)]) {
        cells.append(cell.cloneNode(true));
      }
    }
  }
  return copy;
}

function together() {
  for (const each of document.querySelectorAll(".gh-table.is-part")) each.remove();
  table.classList.remove("is-parted");
}

function apart() {
  together();
  const found = spans();
  if (found.length < 2) return;
  table.after(...found.map(([from, to]) => part(from, to)));
  table.classList.add("is-parted");
}

if (table) {
  addEventListener("beforeprint", apart);
  addEventListener("afterprint", together);
}
