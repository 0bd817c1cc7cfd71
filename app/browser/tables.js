// Tables: rows of numbers as a table that can be read on any screen. From the server: title, columns ([name, kind]; kind: text, number,
// share, change), rows (arrays; null: nothing is known), strong (indices of rows that stand out), says (a line below).

const CELLS = {
  text: (cell, value) => cell.append(value),
  number: (cell, value) => cell.append(value.toLocaleString("en-US", { maximumFractionDigits: 4 })),
  share: (cell, value) => cell.append(make("span", { class: "bar" }, make("i", { style: `width:${100 * value}%` })), value ? percent(value) : "0 %"),
  change: (cell, value) => {
    cell.append(value ? (value > 0 ? "+" : "−") + Math.abs(value).toLocaleString("en-US") : "±0");
    if (value) cell.classList.add(value > 0 ? "more" : "less");
  },
};

export default function ({ parentElement, data: [data] }) {
  const cell = (tag, kind) => make(tag, { class: kind, scope: tag === "th" ? "col" : null });
  const head = data.columns.map(([name, kind]) => { const th = cell("th", kind); th.append(name); return th; });
  const rows = data.rows.map((row, i) => make("tr", { class: data.strong.includes(i) ? "strong" : null }, ...row.map((value, at) => {
    const kind = data.columns[at][1], td = cell("td", kind);
    if (value === null) td.append("–");
    else CELLS[kind](td, value);
    return td;
  })));
  const table = rows.length ? make("div", { class: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))) : null;
  parentElement.querySelector(".root").replaceChildren(make("div", { class: "tables" }, data.title ? make("h4", {}, data.title) : null, table, data.says ? make("p", {}, data.says) : null));
}
