// Grid: many thumbnails, selected by clicks and decided together. See tiles.js; `shown` are ids; also from the server: decided, size.

const GRID_KEYS = [
  ["click", "select, or no longer"], ["Shift click", "select all from the last one to here"], ["A", "select all on this page but what others have open"],
  ["Esc", "select none"], ["K  D", "keep or drop what is selected"], ["Shift K  D", "keep or drop the page: all that nobody has decided or has open"],
  ["U", "undo the last batch"], ["←  →", "page before, next page"], ["?", "this help"],
];

class Grid extends Tiles {
  constructor(root, tell) {
    super(root, "grid", tell, GRID_KEYS);
    this.selected = new Set();
  }

  reset() {
    this.selected?.clear();
    this.anchor = null;
  }

  idsOn(page) { return this.sheets.get(page) || []; }

  acts(event) {
    const whole = event.shiftKey;
    return { k: () => this.decide("keep", whole), d: () => this.decide("drop", whole), a: () => this.all(), escape: () => this.none() };
  }

  buttons(act) {
    return [
      act("keep", "K", () => this.decide("keep")), act("drop", "D", () => this.decide("drop")),
      act("keep page", "⇧K", () => this.decide("keep", true)), act("drop page", "⇧D", () => this.decide("drop", true)),
      act("all", "A", () => this.all()), act("none", "Esc", () => this.none()), ...super.buttons(act),
    ];
  }

  // Those of this page that a click on the whole page means.
  open() { return this.idsOn(this.page).filter((id) => !this.verdict(id) && !this.tiles.get(id)?.held); }

  all() {
    this.selected = new Set(this.idsOn(this.page).filter((id) => !this.tiles.get(id)?.held));
    this.tellOf("");
  }

  none() {
    if (!this.help.hidden) this.toggleHelp(false);
    else this.reset();
    this.show();
  }

  pick(id, event) {
    const ids = this.idsOn(this.page), from = ids.indexOf(this.anchor), to = ids.indexOf(id);
    if (event.shiftKey && from >= 0) for (const other of ids.slice(Math.min(from, to), Math.max(from, to) + 1)) this.selected.add(other);
    else if (!this.selected.delete(id)) this.selected.add(id);
    this.anchor = id;
    this.told = "";
    this.show();
  }

  decide(verdict, whole = false) {
    const asked = whole ? this.open() : this.idsOn(this.page).filter((id) => this.selected.has(id));
    if (!asked.length) return this.tellOf(whole ? "nothing on this page is still to be decided" : "nothing is selected: click thumbnails, or A for all of the page");
    const able = asked.filter((id) => !(verdict === "keep" && this.error(id)));
    const me = this.data.reviewer;
    const ids = able.filter((id) => this.pending.has(id) || this.verdict(id) !== verdict || !this.tiles.get(id).by.includes(me));
    this.reset();
    const told = [`${ids.length} ${verdict === "keep" ? "kept" : "dropped"}`];
    if (able.length > ids.length) told.push(`${able.length - ids.length} were so before`);
    if (asked.length > able.length) told.push(`${asked.length - able.length} cannot be read, so cannot be kept`);
    if (!ids.length) return this.tellOf(told.join(", "));
    this.add(ids.map((pair_id) => ({ pair_id, verdict, reason: this.tiles.get(pair_id).reason })), told.join(", "));
  }

  counted() {
    const { total, decided } = this.data, n = this.selected.size;
    return [`${total.toLocaleString()} pairs, ${decided.toLocaleString()} decided`, n ? `${n} selected` : ""];
  }

  draw(ids) {
    this.sheetOf.dataset.size = this.data.size;
    const tiles = ids.map((id) => this.thumbnail(id));
    if (tiles.length !== this.sheetOf.children.length || tiles.some((tile, i) => tile !== this.sheetOf.children[i])) this.sheetOf.replaceChildren(...tiles);
    const open = this.open().length;
    for (const name of ["keep", "drop"]) {
      this.bar.querySelector(`.${name}:not(.page)`).disabled = !this.selected.size;
      this.bar.querySelector(`.${name}.page`).disabled = !open;
    }
  }

  thumbnail(id) {
    const { button, score, state } = this.tile(id, (event) => this.pick(id, event));
    const facts = this.tiles.get(id), selected = this.selected.has(id);
    button.classList.toggle("selected", selected);
    button.setAttribute("aria-pressed", String(selected));
    score.textContent = !facts || facts.score === null ? "" : facts.score.toFixed(2);
    state.textContent = this.whose(id) || (facts?.held ? "someone has it open" : byRules(facts));
    return button;
  }
}

// What the rules say of a pair, in words.
function byRules(facts) {
  if (!facts) return "";
  const { faults, reason, threshold } = facts;
  if (faults.length) return faults[0] + (faults.length > 1 ? ` and ${faults.length - 1} more` : "");
  return reason && threshold !== null ? `kept: ${reason} < ${threshold.toFixed(2)}` : "kept";
}

export default mounted(Grid);
