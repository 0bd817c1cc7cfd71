// Tiles: what pages of thumbnails share: paging, pictures, batches of decisions that are undone together, keys.
//
// From the server: owner, reviewer, confirmed, message (inbox.py), order, page, pages, total, shown and ahead (what is on this page and on the
// next), tiles (id -> facts), pictures (id -> {src} or {error}), missing and coming (pictures of this page and the next that are still being
// made), nothing (what to say of an empty page). To the server, as `said`: n, outbox, order, page, have (ids whose pictures are here).

const RESEND = 3000; // ms after which decisions that nobody confirmed are sent again
const LOOK = 10000; // ms after which a page asks what others did meanwhile
const COMING = 400; // ms after which it asks for pictures of the next page
const MOST_PICTURES = 600; // held here, to go back to
const MOST_BATCHES = 50; // that can be undone

class Tiles {
  constructor(root, name, tell, keys) {
    this.root = root;
    this.name = name;
    this.tell = tell;
    this.keys = keys;
    this.n = 0;
    this.page = 0;
    this.sheets = new Map(); // page -> what is on it
    this.tiles = new Map(); // id -> facts
    this.pictures = new Map(); // id -> {src} or {error}
    this.elements = new Map(); // id -> thumbnail on the screen
    this.pending = new Map(); // id -> decision that is not stored yet
    this.batches = [];
    this.told = "";
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.timers = [
      setInterval(() => this.outbox && this.outbox.waiting.length && this.say(), RESEND),
      setInterval(() => this.data && !document.hidden && this.say(), LOOK),
    ];
    this.frame();
  }

  end() {
    document.removeEventListener("keydown", this.onKey);
    this.timers.forEach(clearInterval);
    clearTimeout(this.later);
  }

  receive(data) {
    if (this.owner !== data.owner) {
      this.owner = data.owner;
      this.outbox = new Outbox(data.owner);
      this.batches = stored("batches " + this.name + data.owner, []);
    }
    this.outbox.confirm(data.confirmed);
    this.wait();
    if (this.order !== data.order) { // another reason, order or text was chosen, or the page was loaded again
      if (this.order !== undefined) takeKeys(data.order);
      this.told = "";
      this.order = data.order;
      this.page = stored("page " + this.name + data.order, 0);
      this.sheets.clear();
      this.said = false;
      this.reset();
    }
    this.data = data;
    this.page = Math.min(this.page, data.pages - 1);
    this.sheets.set(data.page, data.shown);
    this.sheets.set(data.page + 1, data.ahead);
    for (const [id, facts] of Object.entries(data.tiles)) this.tiles.set(id, facts);
    for (const [id, picture] of Object.entries(data.pictures)) this.pictures.set(id, picture);
    this.forget();
    this.show();
    clearTimeout(this.later);
    if (data.page !== this.page ? !this.said : data.missing || (this.outbox.waiting.length && !this.said)) this.say();
    else if (data.coming) this.later = setTimeout(() => this.say(), COMING);
  }

  get sheet() { return this.sheets.get(this.page); }

  say() {
    this.said = true;
    this.n += 1;
    this.tell({ n: this.n, outbox: this.outbox.waiting, order: this.order, page: this.page, have: [...this.pictures.keys()], ...this.more() });
  }

  more() { return {}; } // what else a kind of page tells

  reset() {} // what it forgets when other pairs are chosen

  forget() {
    if (this.pictures.size <= MOST_PICTURES) return;
    const near = new Set([this.page - 1, this.page, this.page + 1].flatMap((page) => this.idsOn(page)));
    for (const id of [...this.pictures.keys()]) {
      if (this.pictures.size <= MOST_PICTURES) break;
      if (near.has(id)) continue;
      this.pictures.delete(id);
      this.tiles.delete(id);
    }
  }

  // Pages

  go(page) {
    page = Math.max(0, Math.min(page, this.data.pages - 1));
    if (page === this.page || !Number.isFinite(page)) return this.show();
    this.page = page;
    store("page " + this.name + this.order, page);
    this.reset();
    this.told = "";
    this.show();
    if (this.sheetOf.getBoundingClientRect().top < 0) this.sheetOf.scrollIntoView({ block: "start" });
    this.say();
  }

  // Decisions

  add(clicks, told) {
    const time = new Date().toISOString();
    const batch = clicks.map((click) => this.outbox.add({ time, note: "", ...click }));
    this.batches.push(batch.map(({ uuid, pair_id, reason, within }) => ({ uuid, pair_id, reason, within })));
    this.changed(told);
  }

  undo() {
    const last = this.batches.pop();
    if (!last) return this.tellOf("nothing is left here that could be undone");
    for (const { uuid, ...click } of last) this.outbox.add({ ...click, verdict: "undo", note: "", undoes: uuid });
    this.changed("taken back");
  }

  changed(told) {
    store("batches " + this.name + this.owner, this.batches.slice(-MOST_BATCHES));
    this.told = told;
    this.wait();
    this.show();
    this.say();
  }

  wait() { this.pending = new Map(this.outbox.waiting.map((click) => [click.pair_id, click])); }

  tellOf(text) {
    this.told = text;
    this.show();
  }

  // keep or drop, where a person said so; a decision that is not stored yet counts, one that is just being undone does not.
  verdict(id) {
    const click = this.pending.get(id);
    if (click && click.verdict !== "choose") return click.verdict === "undo" ? null : click.verdict;
    return this.tiles.get(id)?.verdict || null;
  }

  error(id) { return this.tiles.get(id)?.error || this.pictures.get(id)?.error || null; }

  key(event) {
    if (!this.root.isConnected) return this.end();
    if (isTyping(event) || event.defaultPrevented || !this.data) return;
    const act = {
      arrowleft: () => this.go(this.page - 1), pageup: () => this.go(this.page - 1),
      arrowright: () => this.go(this.page + 1), pagedown: () => this.go(this.page + 1),
      u: () => this.undo(), "?": () => this.toggleHelp(), escape: () => this.toggleHelp(false), ...this.acts(event),
    }[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat || /^(Arrow|Page)/.test(event.key)) act(); // a key that is held decides once
  }

  acts(event) { return {}; } // key -> what it does on this kind of page

  // What stands on the page

  frame() {
    const act = (name, key, run) => make("button", { class: name, title: `${name} (${key})`, onclick: (e) => { run(); e.currentTarget.blur(); } }, name, make("kbd", {}, key));
    this.message = make("div", { class: "message", role: "alert", hidden: true });
    this.count = make("div", { class: "count", role: "status" });
    this.field = make("input", {
      type: "number", min: "1", class: "at", "aria-label": "page",
      onchange: () => this.go(this.field.valueAsNumber - 1),
      onkeydown: (e) => (e.key === "Enter" || e.key === "Escape") && this.field.blur(),
    });
    this.of = make("span", {});
    this.turn = ["‹", "›"].map((sign, i) => make("button", {
      class: "turn", "aria-label": i ? "next page" : "page before", title: i ? "next page (→)" : "page before (←)",
      onclick: () => this.go(this.page + (i ? 1 : -1)),
    }, sign));
    this.help = make("div", { class: "keys", hidden: true, role: "dialog", "aria-label": "keys" },
      make("table", {}, ...this.keys.map(([key, what]) => make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, what)))));
    this.sheetOf = make("div", { class: "sheet" });
    this.empty = make("div", { class: "empty", hidden: true });
    this.bar = make("div", { class: "acts" }, ...this.buttons(act),
      make("span", { class: "paging" }, this.turn[0], this.field, this.of, this.turn[1]),
      make("button", { class: "help", title: "keys (?)", onclick: () => this.toggleHelp() }, "?"));
    this.body = make("div", { class: "tiles " + this.name }, this.message, this.count, this.bar, this.sheetOf, this.empty, this.help);
    this.root.replaceChildren(this.body);
  }

  buttons(act) { return [act("undo", "U", () => this.undo())]; }

  toggleHelp(open = this.help.hidden) { this.help.hidden = !open; }

  show() {
    const data = this.data, waiting = this.outbox.waiting.length;
    this.message.textContent = data.message || "";
    this.message.hidden = !data.message;
    this.count.textContent = [...this.counted(), waiting ? `${waiting} being stored` : this.told].filter(Boolean).join(" · ");
    if (this.root.getRootNode().activeElement !== this.field) this.field.value = this.page + 1;
    this.field.max = data.pages;
    this.of.textContent = `of ${data.pages.toLocaleString()}`;
    this.turn[0].disabled = this.page <= 0;
    this.turn[1].disabled = this.page >= data.pages - 1;
    this.bar.querySelector(".undo").disabled = !this.batches.length;
    const nothing = !this.sheet || !this.sheet.length;
    this.empty.hidden = !nothing;
    this.empty.textContent = !nothing ? "" : this.sheet ? data.nothing : "loading ...";
    this.draw(this.sheet || []);
    const shown = new Set(this.idsOn(this.page));
    for (const id of [...this.elements.keys()]) if (!shown.has(id)) this.elements.delete(id);
    this.body.dataset.page = this.page; // for whoever drives this page by program
  }

  // A thumbnail; the same element as long as it is on the page.
  tile(id, onclick) {
    let tile = this.elements.get(id);
    if (!tile) {
      tile = { img: make("img", { alt: "", draggable: "false" }), error: make("span", { class: "error" }), score: make("span", { class: "score" }), state: make("span", { class: "state" }) };
      tile.button = make("button", { class: "tile", "data-id": id, onclick, onmousedown: (e) => e.shiftKey && e.preventDefault() },
        make("span", { class: "picture" }, tile.img, tile.error),
        make("span", { class: "line" }, make("span", { class: "name" }, id), tile.score), tile.state);
      this.elements.set(id, tile);
    }
    const facts = this.tiles.get(id) || { faults: [], by: [] }, picture = this.pictures.get(id), error = this.error(id);
    if (picture && picture.src) tile.img.getAttribute("src") || tile.img.setAttribute("src", picture.src);
    tile.img.hidden = !(picture && picture.src);
    tile.error.textContent = (picture && picture.error) || (picture && picture.src ? "" : facts.error) || "";
    const verdict = this.verdict(id);
    const classes = { keep: verdict === "keep", drop: verdict === "drop", held: facts.held && !verdict, broken: Boolean(error), pending: this.pending.has(id) };
    for (const [name, on] of Object.entries(classes)) tile.button.classList.toggle(name, Boolean(on));
    tile.button.title = [id, facts.says, facts.faults.length ? "against it: " + facts.faults.join(", ") : "nothing against it", facts.held && "another reviewer has it open", error].filter(Boolean).join("\n");
    return tile;
  }

  // Whose verdict it is, in words.
  whose(id) {
    const verdict = this.verdict(id), facts = this.tiles.get(id);
    if (!verdict) return "";
    const by = this.pending.has(id) ? [this.data.reviewer] : facts.by;
    return `${verdict === "keep" ? "kept" : "dropped"} by ${by.map((name) => name || "somebody").join(", ")}`;
  }
}

// What a tab remembers when it is loaded again.
function stored(key, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem("curation-" + key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function store(key, value) {
  try {
    sessionStorage.setItem("curation-" + key, JSON.stringify(value));
  } catch { /* no storage: it is remembered until the page is loaded again */ }
}

// Mount a kind of page of thumbnails, and keep it while its place on the page lasts.
function mounted(Kind) {
  const mountedAt = new WeakMap();
  return function ({ parentElement, data: [data], setStateValue }) {
    let page = mountedAt.get(parentElement);
    if (!page) {
      page = new Kind(parentElement.querySelector(".root"), (said) => page.set("said", said));
      mountedAt.set(parentElement, page);
    }
    page.set = setStateValue;
    page.receive(data);
    return () => { page.end(); mountedAt.delete(parentElement); };
  };
}
