// Histograms: one a score, each with a threshold that is dragged, typed, or moved by arrow keys, and switched on and off.
//
// From the server: n (of the message that is answered), revision (grows when the server sets thresholds), thresholds (reason -> value, on),
// scores (reason, says, level, pairs, bars), facts (reason -> value, above, reviews, worth, told), levels (last, now, total), exact,
// pending, examples, evidence, acted, fewest, message. To the server, as `said`: n, revision, thresholds, moving (a finger is still on
// it), active (the reason whose examples are shown), have (ids whose thumbnails are here), open (id and reason of the evidence that is
// shown), act (a calibration).

const SLOW = 3000; // ms after which an answer is no longer waited for
const AGAIN = 350; // ms after which what was not ready is asked for again
const STEPS = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
const SVG = "http://www.w3.org/2000/svg";
const count = (n) => n.toLocaleString("en-US");
const round = (value) => Math.round(value * 10000) / 10000;
const shown = (value) => String(round(value));

class Board {
  constructor(root) {
    this.root = root;
    this.n = 0;
    this.revision = 0;
    this.cards = new Map();
    this.items = new Map();
    this.open = null;
    this.active = null;
    this.moving = false;
    this.message = make("div", { class: "message", role: "status", hidden: true });
    this.levels = make("div", { class: "levels" });
    this.grid = make("div", { class: "cards" });
    this.panel = make("section", { class: "examples", hidden: true, "aria-label": "examples" });
    root.replaceChildren(make("div", { class: "board" }, this.message, this.levels, this.grid));
  }

  end() { clearTimeout(this.later); }

  receive(data) {
    this.data = data;
    if (this.names !== data.scores.map((s) => s.reason).join()) this.build(data);
    if (data.revision !== this.revision) { // the first time, and when the server has set them
      this.revision = data.revision;
      this.thresholds = structuredClone(data.thresholds);
      if (!this.active) this.choose(data.scores.length ? data.scores[0].reason : null, false);
    }
    if (this.act && data.acted === this.act.id) this.act = null;
    if (data.examples) for (const [id, item] of Object.entries(data.examples.items)) this.items.set(id, item);
    this.show();
    clearTimeout(this.later);
    const answered = data.n >= this.n;
    if (this.dirty && answered) this.say();
    else if (answered && (data.pending || !data.examples && this.active && !this.moving)) this.later = setTimeout(() => this.say(), AGAIN);
  }

  // At most one message is on its way; what changes meanwhile goes with the next one.
  say() {
    if (this.n > this.data.n && Date.now() - this.sent < SLOW) {
      this.dirty = true;
      clearTimeout(this.later);
      this.later = setTimeout(() => this.say(), SLOW);
      return;
    }
    this.dirty = false;
    this.n = Math.max(this.n, this.data.n) + 1;
    this.sent = Date.now();
    this.tell({ n: this.n, revision: this.revision, thresholds: this.thresholds, moving: this.moving, active: this.active, have: this.near(), open: this.open, act: this.act || null });
  }

  near() {
    if (this.items.size > 300) this.items.clear();
    return [...this.items.keys()];
  }

  set(reason, change) {
    this.thresholds[reason] = { ...this.thresholds[reason], ...change };
    this.active = reason;
    this.show();
    this.say();
  }

  choose(reason, tell = true) {
    if (this.active !== reason) this.open = null;
    this.active = reason;
    if (!tell) return;
    this.show();
    this.say();
  }

  calibrate(reason) {
    this.act = { id: newId(), what: "calibrate", reason };
    this.show();
    this.say();
  }

  // What stands on the page

  build(data) {
    this.names = data.scores.map((s) => s.reason).join();
    this.cards.clear();
    for (const score of data.scores) this.cards.set(score.reason, this.card(score));
    this.grid.replaceChildren(...[...this.cards.values()].map((c) => c.root), this.panel);
  }

  card(score) {
    const reason = score.reason;
    const number = make("input", { type: "number", min: "0", max: "1", step: "0.01", "aria-label": `${reason} threshold as a number`, inputmode: "decimal" });
    number.addEventListener("input", () => {
      const value = Number(number.value);
      const right = number.value.trim() !== "" && value >= 0 && value <= 1;
      number.classList.toggle("wrong", !right);
      number.title = right ? "" : "a number from 0 to 1";
      if (right) this.set(reason, { value: round(value), on: true });
    });
    number.addEventListener("blur", () => { number.classList.remove("wrong"); number.value = shown(this.thresholds[reason].value); }); // and no more: a click that takes the focus away must still find its target
    const on = make("input", { type: "checkbox", "aria-label": `${reason} rejects`, onchange: () => this.set(reason, { on: on.checked }) });
    const handle = make("div", { class: "handle", role: "slider", tabindex: "0", "aria-label": `${reason} threshold`, "aria-valuemin": "0", "aria-valuemax": "1" });
    const plot = make("div", { class: "plot" }, ...decades(score.bars), bars(score.bars, "all"), bars(score.bars, "above"), ...[0, 0.5, 1].map((v) => make("span", { class: "axis", style: `left:${100 * v}%` }, String(v))), handle);
    const facts = make("div", { class: "facts", "aria-live": "polite" });
    const root = make("section", { class: "card", "data-reason": reason },
      make("div", { class: "top" }, make("button", { class: "reason", title: "examples beside the threshold", onclick: () => this.choose(reason) }, reason), number, make("label", {}, on, "on")),
      make("div", { class: "says", title: `${score.says}; ${score.level}` }, `${score.says}; ${score.level}`), plot, facts);
    const card = { root, number, on, handle, plot, facts, score };
    this.dragged(card, plot, handle, reason);
    return card;
  }

  dragged(card, plot, handle, reason) {
    let before = null, grip = 0;
    const at = (event) => {
      const box = plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - grip - box.left) / box.width));
    };
    plot.addEventListener("pointerdown", (event) => {
      const own = event.composedPath().includes(handle);
      if (event.button || before || !own && event.pointerType === "touch") return; // a finger beside it scrolls the page
      before = { ...this.thresholds[reason] };
      const box = handle.getBoundingClientRect();
      grip = own ? event.clientX - (box.left + box.right) / 2 : 0;
      plot.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      event.preventDefault();
      this.moving = true;
      if (!own) this.set(reason, { value: Math.round(at(event) * 100) / 100, on: true });
      else this.choose(reason);
    });
    plot.addEventListener("pointermove", (event) => {
      if (!before) return;
      const value = Math.round(at(event) * 100) / 100;
      if (value !== this.thresholds[reason].value || !this.thresholds[reason].on && value !== before.value) this.set(reason, { value, on: true });
    });
    const ended = (back) => () => {
      if (!before) return;
      const to = back ? before : {};
      before = null;
      this.moving = false;
      this.set(reason, to);
    };
    plot.addEventListener("pointerup", ended(false));
    plot.addEventListener("pointercancel", ended(true));
    handle.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (event.key === " " || event.key === "Enter") this.set(reason, { on: !this.thresholds[reason].on });
      else if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
        const size = event.shiftKey && Math.abs(step) < 0.1 ? step / 10 : step;
        this.set(reason, { value: round(Math.min(1, Math.max(0, this.thresholds[reason].value + size))), on: true });
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  show() {
    const data = this.data;
    this.message.textContent = data.message || "";
    this.message.hidden = !data.message;
    this.showLevels();
    for (const [reason, card] of this.cards) this.showCard(reason, card);
    this.showPanel();
  }

  showLevels() {
    const { levels, exact } = this.data;
    const current = JSON.stringify(this.thresholds) === JSON.stringify(this.data.thresholds);
    const level = (name, key) => {
      const now = levels.now[key], last = levels.last[key];
      const by = last === null ? null : now - last;
      const sign = by > 0 ? "+" : "−";
      const told = last === null ? "not built yet" : by === 0 ? `as in the last selection` : `${sign}${count(Math.abs(by))} (last selection: ${count(last)})`;
      return make("div", { class: "level", "data-level": key }, make("div", { class: "name" }, `${name} keeps`),
        make("span", { class: "n" }, (exact && current ? "" : "≈ ") + count(now)), make("span", { class: "change" + (by > 0 ? " more" : by < 0 ? " less" : "") }, told));
    };
    const about = exact && current
      ? `Of ${count(levels.total)} pairs, worked out by the rules as the build would.`
      : `Of ${count(levels.total)} pairs, estimated: copies as in the last selection, up to k clean pairs of each equivalence class. The final count is worked out by the build.`;
    this.levels.replaceChildren(level("Selection I", "1"), level("Selection II", "2"), make("div", { class: "about" }, about));
  }

  showCard(reason, card) {
    const { value, on } = this.thresholds[reason];
    const facts = this.data.facts[reason];
    card.root.classList.toggle("off", !on);
    card.root.classList.toggle("active", this.active === reason);
    card.plot.style.setProperty("--at", value);
    card.handle.setAttribute("aria-valuenow", value);
    card.handle.setAttribute("aria-valuetext", on ? shown(value) : `${shown(value)}, switched off`);
    if (!card.number.matches(":focus")) card.number.value = shown(value);
    else if (!card.number.classList.contains("wrong") && Number(card.number.value) !== value) card.number.value = shown(value);
    card.on.checked = on;
    const fits = facts.value === value;
    const above = fits ? facts.above : rejected(card.score.bars, value);
    const share = card.score.pairs ? above / card.score.pairs : 0;
    const lines = [on ? `rejects ${above ? `${count(above)} of ${count(card.score.pairs)} (${percent(share)})` : `none of ${count(card.score.pairs)}`}` : `off; would reject ${count(above)} of ${count(card.score.pairs)}`];
    const worth = facts.worth;
    if (!facts.reviews) lines.push("no reviews yet");
    else if (!worth) lines.push(`${count(facts.reviews)} reviews, nothing above the threshold`);
    else if (!worth.seen) lines.push(`${count(facts.reviews)} reviews, none of what is rejected`);
    else {
      const doubt = worth.seen === worth.rejects ? "all seen" : `95 %: ${worth.low.toFixed(2)}–${worth.high.toFixed(2)}; ${count(worth.seen)} of them seen`;
      lines.push(`precision so far ${worth.precision.toFixed(2)} (${doubt})`);
    }
    card.facts.replaceChildren(make("div", {}, lines[0]), make("div", { class: "soft" }, lines[1]));
  }

  showPanel() {
    const reason = this.active, card = this.cards.get(reason);
    this.panel.hidden = !card;
    if (!card) return;
    if (card.root.nextElementSibling !== this.panel) card.root.after(this.panel);
    const facts = this.data.facts[reason], enough = facts.reviews >= this.data.fewest;
    const button = make("button", { class: "calibrate", disabled: !enough || Boolean(this.act), onclick: () => this.calibrate(reason) }, this.act ? "calibrating ..." : "calibrate from reviews");
    const told = facts.told;
    const words = told ? told.error || `before ${told.before} → after ${told.after}`
      : enough ? `${count(facts.reviews)} reviews` : `needs ${this.data.fewest} reviews of ${reason}, has ${count(facts.reviews)}; the Queue asks for them where this reason is chosen`;
    const found = this.data.examples;
    const mine = found && found.reason === reason ? found : null;
    const side = (name, title, ids) => make("div", { class: "side " + name }, make("h5", {}, title),
      ids.length ? make("div", { class: "strip" }, ...ids.map((id) => this.thumb(id, mine.about[id], reason))) : make("div", { class: "says" }, "no pair"));
    const at = this.thresholds[reason];
    const parts = [make("div", { class: "tools" }, make("h4", {}, reason), button, make("span", { class: "told" + (told && told.error ? " error" : "") }, words))];
    if (mine) parts.push(make("div", { class: "sides" },
      side("keep", `just below ${shown(mine.value)}: not rejected`, mine.below), side("drop", at.on ? `at ${shown(mine.value)} or just above: rejected` : `at ${shown(mine.value)} or just above: would be rejected`, mine.above)));
    if (this.open) parts.push(this.evidence());
    const whole = parts.map((part) => part.outerHTML).join("");
    if (whole === this.panelShown) return; // a button that is pressed just now must stay where it is
    this.panelShown = whole;
    const focused = this.panel.getRootNode().activeElement;
    const again = focused && this.panel.contains(focused) ? focused.dataset.id : null;
    this.panel.replaceChildren(...parts);
    if (again) [...this.panel.querySelectorAll("[data-id]")].find((e) => e.dataset.id === again)?.focus({ preventScroll: true });
  }

  thumb(id, about, reason) {
    const item = this.items.get(id);
    const picture = item && item.picture ? make("img", { src: item.picture, alt: "" }) : make("span", { class: "blank" }, item ? item.error : "");
    return make("button", { class: "thumb", "data-id": id, title: `${id}: ${about.state}`, onclick: () => { this.open = { id, reason }; this.shut = false; this.show(); this.say(); } },
      picture, make("span", { class: "id" }, `${about.score.toFixed(3)} ${id}`), make("span", { class: "id" }, about.state));
  }

  evidence() {
    const { id, reason } = this.open, found = this.data.evidence;
    const mine = found && found.id === id && found.reason === reason ? found : null;
    const close = make("button", { "data-id": "close", onclick: () => { this.open = null; this.show(); this.say(); } }, "close");
    return make("div", { class: "evidence" }, make("div", { class: "bar" }, make("span", {}, id), close),
      mine && mine.picture ? make("img", { src: mine.picture, alt: `evidence of ${reason}` }) : null, make("p", {}, mine ? mine.says : "loading ..."));
  }
}

// How many pairs lie at or above a value: exact where it lies between two bars.
function rejected(bars, value) {
  return bars.slice(Math.min(bars.length - 1, Math.round(value * bars.length))).reduce((sum, n) => sum + n, 0);
}

const height = (n, most) => (n ? Math.log10(1 + n) / Math.log10(1 + most) : 0);

// Bars of a histogram, their heights by the logarithm of 1 + n.
function bars(numbers, name) {
  const most = Math.max(1, ...numbers);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${numbers.length} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", name);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", numbers.map((n, i) => (n ? `M${i + 0.08} 1V${1 - height(n, most)}H${i + 0.92}V1Z` : "")).join(""));
  svg.append(path);
  return svg;
}

// A line for 10, 100, 1000 ... pairs a bar.
function decades(numbers) {
  const most = Math.max(1, ...numbers), lines = [];
  for (let n = 10; n <= most; n *= 10) {
    const short = n < 1000 ? String(n) : n < 1e6 ? `${n / 1000}k` : `${n / 1e6}M`;
    lines.push(make("div", { class: "decade", style: `top:${100 * (1 - height(n, most))}%` }, make("span", {}, short)));
  }
  return lines;
}

const boards = new WeakMap();

export default function (component) {
  const { parentElement, data: [data], setStateValue } = component;
  let board = boards.get(parentElement);
  if (!board) {
    board = new Board(parentElement.querySelector(".root"));
    boards.set(parentElement, board);
  }
  board.tell = (said) => setStateValue("said", said);
  board.receive(data);
  return () => { board.end(); boards.delete(parentElement); };
}
