// Classes: equivalence classes as strips of thumbnails; a click says whether a pair stays. See tiles.js; `shown` are classes: id (of the
// representative), size, stays, faulty, chosen, loose (those that stay, but not by name), filled, members (ids that are shown), more (whether
// there are others). Tiles have also stays and similarity. What one click means for the others of its class is worked out by the server
// (choice.py).

const CLASS_KEYS = [
  ["click", "stays, or goes"], ["keep k", "the first k stay: those kept now, then the most similar"], ["U", "undo the last change"],
  ["←  →", "page before, next page"], ["?", "this help"],
];
const MORE = 48; // members that "show more" adds
const REASON = "equivalence_class";

class Classes extends Tiles {
  constructor(root, tell) {
    super(root, "classes", tell, CLASS_KEYS);
    this.cards = new Map(); // id -> card on the screen
    this.wide = {}; // id -> members asked for
  }

  more() { return { more: this.wide }; }

  reset() { this.wide = {}; }

  idsOn(page) { return (this.sheets.get(page) || []).flatMap((strip) => strip.members); }

  stays(id) {
    const click = this.pending.get(id);
    return click && (click.verdict === "keep" || click.verdict === "drop") ? click.verdict === "keep" : Boolean(this.tiles.get(id)?.stays);
  }

  toggle(id) {
    const keep = !this.stays(id);
    if (keep && this.tiles.get(id)?.error) return this.tellOf(`${id} cannot be read, so it cannot be kept`);
    this.add([{ pair_id: id, verdict: keep ? "keep" : "drop", reason: REASON, within: "class" }], `${id} ${keep ? "stays" : "goes"}`);
  }

  keep(strip, k) {
    if (!Number.isInteger(k) || k < 0) {
      this.cards.get(strip.id).k.value = strip.stays;
      return this.tellOf("keep how many? Write a whole number");
    }
    k = Math.min(k, strip.size);
    this.add([{ pair_id: strip.id, verdict: "choose", k, reason: REASON, within: "class" }], `${k} of ${strip.size.toLocaleString()} like ${strip.id} stay`);
  }

  widen(strip) {
    this.wide[strip.id] = strip.members.length + MORE;
    this.say();
  }

  counted() { return [`${this.data.total.toLocaleString()} classes of two pairs or more`]; }

  draw(strips) {
    const cards = strips.map((strip) => this.card(strip));
    if (cards.length !== this.sheetOf.children.length || cards.some((card, i) => card !== this.sheetOf.children[i])) this.sheetOf.replaceChildren(...cards);
    const shown = new Set(strips.map((strip) => strip.id));
    for (const id of [...this.cards.keys()]) if (!shown.has(id)) this.cards.delete(id);
  }

  card(strip) {
    let card = this.cards.get(strip.id);
    if (!card) {
      card = { strip, says: make("span", { class: "says" }), row: make("div", { class: "row" }), note: make("div", { class: "note" }) };
      const keep = () => { this.keep(card.strip, card.k.valueAsNumber); card.k.blur(); };
      card.k = make("input", { type: "number", min: "0", class: "k", "aria-label": "how many stay", onkeydown: (e) => (e.key === "Enter" ? keep() : e.key === "Escape" && card.k.blur()) });
      card.more = make("button", { class: "more", onclick: () => this.widen(card.strip) });
      card.root = make("section", { class: "strip", "data-class": strip.id },
        make("header", {}, card.says, make("span", { class: "choose" }, make("button", { onclick: keep, title: "the first so many stay, the others go" }, "keep"), card.k)),
        card.row, card.more, card.note);
      this.cards.set(strip.id, card);
    }
    card.strip = strip;
    const waits = [...this.pending.values()].some((click) => click.verdict === "choose" && click.pair_id === strip.id);
    const stay = waits ? "..." : strip.stays.toLocaleString();
    card.says.textContent = `${stay} of ${strip.size.toLocaleString()} stay` + (strip.chosen ? `, ${strip.chosen.toLocaleString()} chosen` : "");
    card.k.max = strip.size;
    if (this.root.getRootNode().activeElement !== card.k) card.k.value = strip.stays;
    card.note.textContent = [
      strip.filled ? `The next selection may fill ${strip.filled === 1 ? "the free place" : `${strip.filled} free places`} with others of this class; "keep ${strip.stays}" prevents that.` : "",
      strip.chosen && strip.loose ? `${strip.loose} that ${strip.loose === 1 ? "stays is" : "stay are"} not kept by name: the next selection may prefer others. "keep ${strip.stays}" settles it.` : "",
      strip.faulty ? `${strip.faulty} of those that stay ${strip.faulty === 1 ? "has another fault" : "have other faults"}.` : "",
    ].join(" ").trim();
    card.more.hidden = !strip.more;
    card.more.textContent = `show more (${(strip.size - strip.members.length).toLocaleString()})`;
    const tiles = strip.members.map((id, i) => this.thumbnail(id, !i));
    if (tiles.length !== card.row.children.length || tiles.some((tile, i) => tile !== card.row.children[i])) card.row.replaceChildren(...tiles);
    return card.root;
  }

  thumbnail(id, isRepresentative) {
    const { button, score, state } = this.tile(id, () => this.toggle(id));
    const facts = this.tiles.get(id), stays = this.stays(id);
    button.classList.toggle("stays", stays);
    button.classList.toggle("goes", !stays);
    button.setAttribute("aria-pressed", String(stays));
    score.textContent = isRepresentative ? "representative" : facts && facts.similarity !== null ? facts.similarity.toFixed(2) : "";
    state.textContent = this.whose(id) || (facts?.held ? "someone has it open" : facts?.faults[0] || (stays ? "kept" : "a copy of it is kept"));
    return button;
  }
}

export default mounted(Classes);
