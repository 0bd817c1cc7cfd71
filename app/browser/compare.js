// Compare: the pictures of one label map after the other, the best chosen by a number. The next ones are here before they are asked for.
//
// From the server: owner, order, confirmed (uuids), queue (stems in order), items (stem -> what is shown), total, left, mine, wins, notes, undo
// (what undo would take back of an earlier visit), message, nothing. To the server, as `said`: n, outbox, have (stems whose items are here), at.
// A picture is named by its stem, the number of its folder, and the digest of what was seen.

const RESEND = 3000; // ms after which choices that nobody confirmed are sent again
const MOST_HELD = 40; // items held here, to go back to
const KEYS = [
  ["1 … 9", "this picture is the best"], ["S", "skip: someone else may choose"], ["U", "undo"], ["←  →", "go back and forth"], ["?", "this help"],
];

class Compare {
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    this.n = 0;
    this.items = new Map();
    this.queue = [];
    this.trail = []; // stems in the order they were shown
    this.here = -1; // place in the trail
    this.made = []; // choices and skips made here and not undone, in their order
    this.outbox = null;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.timer = setInterval(() => this.outbox && this.outbox.waiting.length && this.say(), RESEND);
    this.build();
  }

  end() {
    document.removeEventListener("keydown", this.onKey);
    clearInterval(this.timer);
  }

  receive(data) {
    if (!this.outbox || this.owner !== data.owner) { // another comparison, or another reviewer
      this.owner = data.owner;
      this.outbox = new Outbox(data.owner);
      this.items.clear();
      this.made = [];
      this.trail = [];
      this.here = -1;
      for (const choice of this.outbox.waiting) this.note(choice);
    }
    if (this.order !== data.order) { // names are shown or hidden
      this.order = data.order;
      this.items.clear();
      this.wins.open = data.order !== "blind";
    }
    this.outbox.confirm(data.confirmed);
    this.data = data;
    this.queue = data.queue;
    for (const [stem, item] of Object.entries(data.items)) this.items.set(stem, item);
    if (this.here < 0 || !this.at) this.forth(false);
    this.forget();
    this.show();
    const wanted = this.at ? [...this.queue, this.at] : this.queue;
    const missing = wanted.some((stem) => !this.items.has(stem));
    if ((this.outbox.waiting.length && !this.said) || (missing && !this.asked)) {
      this.asked = !Object.keys(data.items).length;
      this.say();
    } else this.asked = false;
  }

  get at() { return this.trail[this.here]; }
  done(stem) { return Boolean(this.choiceOf(stem)); }

  // The last choice for a label map that was made here and not undone.
  choiceOf(stem) { return this.made.findLast((choice) => choice.stem === stem); }

  note(choice) {
    if (choice.act === "undo") this.made = this.made.filter((c) => c.uuid !== choice.undoes);
    else this.made.push(choice);
  }

  // Show the next one: of those shown before, when one went back, else of the queue.
  forth(showIt = true) {
    if (this.here < this.trail.length - 1) this.here += 1;
    else {
      const open = this.queue.filter((stem) => !this.done(stem) && stem !== this.at);
      const next = open.find((stem) => !this.trail.includes(stem)) ?? open[0]; // at last those that were passed by
      if (next !== undefined) {
        this.trail = this.trail.filter((stem) => stem !== next);
        this.here = this.trail.push(next) - 1;
      } else if (this.here >= 0 && this.done(this.at)) this.here = this.trail.length; // nothing left: an empty place after the last
    }
    if (showIt) { this.show(); this.say(); }
  }

  back() {
    if (this.here <= 0) return;
    this.here -= 1;
    this.show();
    this.say();
  }

  choose(place) {
    const picture = this.items.get(this.at)?.pictures[place];
    if (!picture || !picture.picture) return;
    this.act({ act: "choose", folder: picture.folder, picture: picture.picture });
  }

  skip() { if (this.at) this.act({ act: "skip" }); }

  act(choice) {
    this.note(this.outbox.add({ stem: this.at, ...choice }));
    this.forth();
  }

  undo() {
    const last = this.made.at(-1) || this.data.undo;
    if (!last) return;
    if (!this.made.length) this.data.undo = null; // taken back once
    this.note(this.outbox.add({ stem: last.stem, act: "undo", undoes: last.uuid }));
    const item = this.items.get(last.stem);
    if (item) item.best = null;
    const place = this.trail.lastIndexOf(last.stem);
    this.here = place >= 0 ? place : this.trail.push(last.stem) - 1;
    this.show();
    this.say();
  }

  key(event) {
    if (!this.root.isConnected) return this.end();
    if (isTyping(event)) return;
    const key = event.key.toLowerCase();
    const act = /^[1-9]$/.test(key) ? () => this.choose(+key - 1) : {
      s: () => this.skip(), u: () => this.undo(), arrowleft: () => this.back(), arrowright: () => this.forth(),
      "?": () => this.toggleHelp(), escape: () => this.toggleHelp(false),
    }[key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat || event.key.startsWith("Arrow")) act(); // a key that is held chooses once
  }

  say() {
    this.said = true;
    this.n += 1;
    this.tell({ n: this.n, outbox: this.outbox.waiting, have: [...this.items.keys()], at: this.at ?? null });
  }

  forget() {
    const near = new Set([...this.trail.slice(-MOST_HELD / 2), ...this.queue, this.at]);
    for (const stem of this.items.keys()) if (this.items.size > MOST_HELD && !near.has(stem)) this.items.delete(stem);
  }

  // What stands on the page

  build() {
    const button = (name, key, act) =>
      make("button", { class: "act " + name, title: `${name} (${key})`, onclick: (e) => { act(); e.currentTarget.blur(); } }, name, make("kbd", {}, key));
    this.message = make("div", { class: "message", role: "status" });
    this.fill = make("div", { class: "fill" });
    this.count = make("span", { class: "count" });
    this.title = make("div", { class: "title" });
    this.state = make("div", { class: "state" });
    this.figures = make("div", { class: "figures" });
    this.legendList = make("ul", {});
    this.rows = make("tbody", {});
    this.wins = make("details", { class: "wins", open: true }, make("summary", {}, "Best so far"),
      make("table", {}, make("thead", {}, make("tr", {}, ...["folder", "chosen", "of", "share, 95 % interval", ""].map((text) => make("th", {}, text)))), this.rows));
    this.acts = make("div", { class: "acts" },
      button("skip", "S", () => this.skip()), button("undo", "U", () => this.undo()),
      button("back", "←", () => this.back()), button("next", "→", () => this.forth()),
      make("button", { class: "help", title: "keys (?)", onclick: () => this.toggleHelp() }, "?"),
      make("span", { class: "says" }, "Click the best picture, or press its number."));
    this.help = make("div", { class: "keys", hidden: true, role: "dialog", "aria-label": "keys" },
      make("table", {}, ...KEYS.map(([key, what]) => make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, what)))));
    this.notes = make("ul", { class: "notes" });
    this.empty = make("div", { class: "empty", hidden: true });
    this.main = make("div", {}, make("div", { class: "head" }, this.title, this.state), this.acts, this.figures);
    this.legend = make("div", { class: "legend" }, this.legendList);
    this.below = make("div", { class: "below" }, this.legend, make("div", {}, this.wins, this.notes));
    this.root.replaceChildren(make("div", { class: "compare" }, this.message,
      make("div", { class: "progress" }, make("div", { class: "bar" }, this.fill), this.count),
      this.main, this.empty, this.below, this.help));
  }

  show() {
    const data = this.data, item = this.items.get(this.at), waiting = this.outbox.waiting.length;
    const done = data.total - data.left;
    this.message.textContent = data.message || "";
    this.message.hidden = !data.message;
    this.fill.style.width = `${(100 * done) / Math.max(1, data.total)}%`;
    this.count.textContent = `${done.toLocaleString()} of ${data.total.toLocaleString()} label maps done · ${data.mine.toLocaleString()} chosen by ${data.reviewer}` + (waiting > 3 ? ` · ${waiting} being stored` : "");
    this.main.hidden = !item;
    this.legend.hidden = !item || !item.classes.length;
    this.below.classList.toggle("alone", this.legend.hidden);
    this.empty.hidden = Boolean(item);
    this.empty.textContent = this.at !== undefined || this.queue.some((stem) => !this.done(stem)) ? "loading ..." : data.nothing;
    this.showWins(data.wins);
    this.notes.replaceChildren(...data.notes.map((note) => make("li", {}, note)));
    if (!item) return;
    const choice = this.choiceOf(this.at);
    const best = choice ? (choice.act === "choose" ? choice : null) : item.best;
    this.title.textContent = this.at;
    this.state.textContent = choice ? (choice.act === "choose" ? "you chose" : "skipped") : item.best ? item.best.says : "not chosen yet";
    this.state.classList.toggle("chosen", Boolean(best));
    const map = item.label || item.error;
    const shown = item.pictures.length + (map ? 1 : 0);
    this.figures.style.setProperty("--columns", shown <= 4 ? shown : Math.ceil(shown / Math.ceil(shown / 4)));
    this.figures.style.setProperty("--tall", shown <= 4 ? "58vh" : "32vh");
    this.figures.classList.toggle("many", item.pictures.length > 2);
    const pictures = item.pictures.map((picture, place) => this.figure(picture, place, Boolean(best && best.folder === picture.folder && best.picture === picture.picture)));
    if (map) pictures.unshift(make("div", { class: "figure map" }, item.label ? make("img", { src: item.label, alt: "label map" }) : make("span", { class: "error" }, item.error), make("div", { class: "caption" }, "label map")));
    this.figures.replaceChildren(...pictures);
    this.legendList.replaceChildren(...item.classes.map((c) => make("li", {}, make("span", { class: "swatch", style: `background:${c.colour}` }), make("span", {}, c.name), make("span", { class: "share" }, percent(c.share)))));
  }

  figure(picture, place, isBest) {
    const key = place < 9 ? make("kbd", {}, String(place + 1)) : null;
    const shown = picture.error ? make("span", { class: "error" }, picture.error) : make("img", { src: picture.url, alt: `picture ${place + 1}`, draggable: "false" });
    return make("button", { class: "figure" + (isBest ? " best" : ""), disabled: Boolean(picture.error), onclick: (e) => { this.choose(place); e.currentTarget.blur(); } },
      shown, make("div", { class: "caption" }, key, make("span", { class: "name" }, picture.name || ""), make("span", { class: "file" }, picture.file || ""), isBest ? make("span", { class: "mark" }, "best") : null));
  }

  showWins(wins) {
    this.rows.replaceChildren(...wins.map((w) => make("tr", {}, make("td", {}, w.name), make("td", {}, w.won.toLocaleString()), make("td", {}, w.of.toLocaleString()),
      make("td", {}, w.of ? `${percent(w.won / w.of)} (${percent(w.low)} to ${percent(w.high)})` : "–"),
      make("td", {}, w.of ? make("div", { class: "span" }, make("div", { class: "range", style: `left:${100 * w.low}%;right:${100 * (1 - w.high)}%` }), make("div", { class: "point", style: `left:${(100 * w.won) / w.of}%` })) : ""))));
  }

  toggleHelp(open = this.help.hidden) { this.help.hidden = !open; }
}

const compares = new WeakMap();

export default function (component) {
  const { parentElement, data: [data], setStateValue } = component;
  let compare = compares.get(parentElement);
  if (!compare) {
    const root = parentElement.querySelector(".root");
    compare = new Compare(root, (said) => compare.set("said", said));
    compares.set(parentElement, compare);
  }
  compare.set = setStateValue;
  compare.receive(data);
  return () => { compare.end(); compares.delete(parentElement); };
}
