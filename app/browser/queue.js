// Queue: one pair after the other, decided by keys. The next pairs are here before they are asked for.
//
// From the server: owner, confirmed (uuids), queue (ids in order), items (id -> what is shown, `whole` when nothing of it is still being made),
// left, decided, message, undo (a decision of an earlier visit that undo would take back), n (the message that this answers). To the server, as
// `said`: n, outbox, have (ids whose items are here, whole), at (the id on the screen).

const RENEW = 120000; // ms after which the server hears that somebody is still here, so that the leases on the next pairs do not end
const RESEND = 3000; // ms after which decisions that nobody confirmed are sent again
const ASK = 80; // ms after which the server is asked again for items that it was still making
const MOST_HELD = 60; // items held here, to go back to
const KEYS = [
  ["K", "keep"], ["D", "drop"], ["S", "skip: someone else may decide"], ["U", "undo"], ["←  →", "go back and forth"],
  ["O", "label map over the photo"], ["E", "evidence large, and small again"], ["N", "write a note"], ["?", "this help"],
];

class Queue {
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    this.n = 0;
    this.items = new Map();
    this.queue = [];
    this.trail = []; // ids in the order they were shown
    this.here = -1; // place in the trail
    this.made = []; // decisions made here and not undone, in their order
    this.notes = new Map(); // id -> what is written about it and not sent yet
    this.told = ""; // what the last key did
    this.overlay = false;
    this.opacity = 0.5;
    this.outbox = null;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.onSight = () => document.visibilityState === "visible" && this.outbox && this.say();
    document.addEventListener("visibilitychange", this.onSight);
    this.timers = [setInterval(() => this.resend(), RESEND), setInterval(this.onSight, RENEW)];
    this.build();
  }

  end() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("visibilitychange", this.onSight);
    this.timers.forEach(clearInterval);
    clearTimeout(this.asking);
  }

  // What nobody confirmed is sent again, and said to be safe meanwhile.
  resend() {
    if (!this.outbox || !this.outbox.waiting.length) return;
    this.say();
    if (Date.now() - this.heard > RESEND) this.show();
  }

  receive(data) {
    this.heard = Date.now();
    if (!this.outbox || this.owner !== data.owner) {
      this.owner = data.owner;
      this.outbox = new Outbox(data.owner);
      for (const d of this.outbox.waiting) if (!d.within) this.note(d); // what was said about a class is another page's
    }
    this.outbox.confirm(data.confirmed);
    if (data.order !== this.order) { // another reason or order was chosen
      if (this.order !== undefined) takeKeys(data.order);
      this.order = data.order;
      this.items.clear(); // they were made for another reason
      this.trail = this.trail.slice(0, this.here + 1).filter((id) => this.done(id));
      this.here = this.trail.length;
    }
    this.data = data;
    this.queue = data.queue;
    for (const [id, item] of Object.entries(data.items)) if (item.whole || !this.items.get(id)?.whole) this.items.set(id, item);
    if (!this.at) this.forth(false); // the first pair, or more has come after the last
    this.forget();
    this.show();
    clearTimeout(this.asking);
    if (this.outbox.waiting.length && !this.said) this.say();
    else if ([...this.queue, this.at].some((id) => id && !this.items.get(id)?.whole)) {
      this.pause = Object.keys(data.items).length ? ASK : Math.min(2 * (this.pause || ASK), RESEND); // nothing new: it may take longer
      this.asking = setTimeout(() => this.say(), this.pause);
    }
  }

  get at() { return this.trail[this.here]; }
  done(id) { return Boolean(this.decisionOn(id)); }

  // The last decision on a pair that was made here and not undone.
  decisionOn(id) { return this.made.findLast((decision) => decision.pair_id === id); }

  note(decision) {
    if (decision.verdict === "undo") this.made = this.made.filter((d) => d.uuid !== decision.undoes);
    else this.made.push(decision);
  }

  // Show the next pair: of those shown before, when one went back, else of the queue; at its end those that were passed by.
  forth(showIt = true) {
    if (this.here < this.trail.length - 1) this.here += 1;
    else {
      const after = this.queue.indexOf(this.at) + 1;
      const open = [...this.queue.slice(after), ...this.queue.slice(0, after)].filter((id) => !this.done(id) && id !== this.at);
      const next = open.find((id) => !this.trail.includes(id)) || open[0];
      if (next) this.here = this.trail.push(next) - 1;
      else if (this.here >= 0 && this.done(this.at)) this.here = this.trail.length; // nothing left: an empty place after the last
    }
    if (showIt) { this.show(); this.say(); }
  }

  back() {
    if (this.here <= 0) return;
    this.here -= 1;
    this.show();
    this.say();
  }

  decide(verdict) {
    const item = this.items.get(this.at);
    if (!item) return;
    if (verdict === "keep" && item.error) return this.flash("This pair cannot be kept: there is nothing to train on.");
    if (verdict === "skip" && (this.decisionOn(this.at)?.verdict || item.verdict || "skip") !== "skip") return this.forth(); // it is decided; U takes that back
    this.note(this.outbox.add({ pair_id: this.at, verdict, reason: item.reason, note: this.noteField.value.trim() }));
    this.told = `${this.at}: ${{ keep: "kept", drop: "dropped", skip: "skipped" }[verdict]}`;
    this.noteField.value = "";
    this.here = Math.min(this.here, this.trail.length - 1);
    this.forth();
  }

  undo() {
    const last = this.made.at(-1) || this.data.undo;
    if (!last) return;
    if (!this.made.length) this.data.undo = null; // taken back once
    this.told = `${last.pair_id}: ${{ keep: "keep", drop: "drop", skip: "skip" }[last.verdict]} taken back`;
    this.note(this.outbox.add({ pair_id: last.pair_id, verdict: "undo", reason: last.reason, note: "", undoes: last.uuid }));
    const place = this.trail.lastIndexOf(last.pair_id);
    this.here = place >= 0 ? place : this.trail.push(last.pair_id) - 1;
    this.show();
    this.say();
  }

  key(event) {
    if (!this.root.isConnected) return this.end();
    if (isTyping(event)) {
      if (event.composedPath()[0] === this.noteField && (event.key === "Enter" || event.key === "Escape")) this.noteField.blur();
      return;
    }
    const act = {
      k: () => this.decide("keep"), d: () => this.decide("drop"), s: () => this.decide("skip"), u: () => this.undo(),
      arrowleft: () => this.back(), arrowright: () => this.forth(), o: () => this.toggleOverlay(), e: () => this.enlarge(), n: () => this.noteField.focus(),
      "?": () => this.toggleHelp(), escape: () => this.toggleHelp(false),
    }[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat || event.key.startsWith("Arrow")) act(); // a key that is held decides once
  }

  say() {
    this.said = true;
    this.n += 1;
    this.tell({ n: this.n, outbox: this.outbox.waiting, have: [...this.items].filter(([, item]) => item.whole).map(([id]) => id), at: this.at || null });
  }

  forget() {
    const near = new Set([...this.trail.slice(-MOST_HELD / 2), ...this.queue, this.at]);
    for (const id of this.items.keys()) if (this.items.size > MOST_HELD && !near.has(id)) this.items.delete(id);
  }

  // What stands on the page

  build() {
    const button = (name, key, act) =>
      make("button", { class: "act " + name, title: `${name} (${key})`, onclick: (e) => { act(); e.currentTarget.blur(); } }, name, make("kbd", {}, key));
    this.photo = make("img", { alt: "photo", draggable: "false" });
    this.over = make("img", { alt: "", class: "over", draggable: "false" });
    this.label = make("img", { alt: "label map", draggable: "false" });
    this.unseen = make("p", { class: "unseen" });
    this.tip = make("div", { class: "tip", role: "status" });
    this.slider = make("input", { type: "range", min: "0", max: "1", step: "0.05", "aria-label": "opacity of the label map", oninput: () => this.setOpacity(+this.slider.value) });
    this.overBox = make("input", { type: "checkbox", id: "over", onchange: () => this.toggleOverlay() });
    this.noteField = make("input", { class: "note", placeholder: "note (N)", maxlength: "500", "aria-label": "note" });
    this.parts = Object.fromEntries(["title", "why", "meter", "state", "legend", "evidence", "others", "message", "count"].map((name) => [name, make("div", { class: name })]));
    const p = this.parts;
    const watch = { onmousemove: (e) => this.point(e), onmouseleave: () => this.hideTip() };
    this.figures = make("div", { class: "figures" },
      make("figure", watch, make("div", { class: "frame" }, this.photo, this.over, this.unseen),
        make("figcaption", {}, make("label", { for: "over" }, this.overBox, " overlay (O)"), this.slider)),
      make("figure", { ...watch, class: "second" }, make("div", { class: "frame" }, this.label), make("figcaption", {}, "label map")));
    this.acts = make("div", { class: "acts" },
      button("keep", "K", () => this.decide("keep")), button("drop", "D", () => this.decide("drop")),
      button("skip", "S", () => this.decide("skip")), button("undo", "U", () => this.undo()),
      button("back", "←", () => this.back()), button("next", "→", () => this.forth()), this.noteField,
      make("button", { class: "help", title: "keys (?)", onclick: () => this.toggleHelp() }, "?"));
    this.help = make("div", { class: "keys", hidden: true, role: "dialog", "aria-label": "keys" },
      make("table", {}, ...KEYS.map(([key, what]) => make("tr", {}, make("td", {}, make("kbd", {}, key)), make("td", {}, what)))));
    this.empty = make("div", { class: "empty", hidden: true });
    this.pair = make("div", { class: "pair" },
      make("div", { class: "head" }, make("div", {}, p.title, p.why), make("div", { class: "right" }, p.state, p.meter)),
      this.acts, this.figures,
      this.below = make("div", { class: "below" }, make("div", { class: "side" }, p.legend, p.others), p.evidence));
    this.root.replaceChildren(make("div", { class: "queue" }, p.message, p.count, this.pair, this.empty, this.help, this.tip));
    this.setOpacity(this.opacity);
  }

  show() {
    const p = this.parts, item = this.items.get(this.at), data = this.data;
    const waiting = this.outbox.waiting.length;
    const silent = waiting && Date.now() - this.heard > RESEND;
    const message = silent ? `The app does not answer. ${waiting} ${waiting === 1 ? "decision is" : "decisions are"} safe in this browser and will be sent when it does.` : data.message;
    p.message.textContent = message || "";
    p.message.hidden = !message;
    const sent = { keep: 1, drop: 1 }; // what is on its way counts already
    const decided = data.decided + this.outbox.waiting.reduce((sum, d) => sum + (d.within ? 0 : sent[d.verdict] || 0), 0);
    p.count.textContent = [`${Math.max(0, decided).toLocaleString()} decided by ${data.reviewer}`, `${data.left.toLocaleString()} left`, waiting > 3 ? `${waiting} being stored` : "", this.told].filter(Boolean).join(" · ");
    this.pair.hidden = !item;
    this.empty.hidden = Boolean(item);
    this.empty.textContent = waiting || this.queue.some((id) => !this.done(id)) || this.at ? "loading ..." : data.nothing;
    if (this.noteOf !== this.at) { // a note stays with its pair
      if (this.noteOf && this.noteField.value.trim()) this.notes.set(this.noteOf, this.noteField.value);
      this.noteField.value = this.notes.get(this.at) || "";
      this.notes.delete(this.at);
      this.noteOf = this.at;
    }
    this.root.host?.setAttribute?.("data-at", this.at || "");
    if (!item) return;
    const decision = this.decisionOn(this.at);
    const verdict = decision ? decision.verdict : item.verdict;
    p.title.textContent = this.at;
    p.title.title = item.files.join("\n");
    p.why.textContent = item.why;
    p.state.className = "state " + (verdict || "open");
    p.state.textContent = decision ? { keep: "you keep it", drop: "you drop it", skip: "skipped" }[verdict] : item.state;
    p.meter.replaceChildren(...meter(item));
    this.acts.querySelector(".keep").disabled = Boolean(item.error);
    this.figures.classList.toggle("alone", !item.label);
    set(this.photo, item.photo);
    set(this.over, item.label);
    set(this.label, item.label);
    this.legend(item);
    const shown = item.evidence ? [make("img", { src: item.evidence, alt: "evidence of " + item.reason, title: "larger, and smaller again (E)", onclick: () => this.enlarge() }), make("p", {}, item.says)] : [make("p", {}, (item.photo && item.error) || item.says || (item.whole ? "" : "loading ..."))];
    p.evidence.replaceChildren(...shown);
    p.evidence.classList.toggle("error", Boolean(item.photo && item.error));
    this.unseen.textContent = item.photo ? "" : item.error;
    const others = item.others.map((o) => make("figure", { title: o.about, class: o.kept ? "kept" : "dropped" }, make("img", { src: o.picture, alt: o.id }), make("figcaption", {}, o.about)));
    p.others.replaceChildren(...(others.length ? [make("h4", {}, item.class), make("div", { class: "strip" }, ...others)] : []));
    this.colours = null;
    this.hideTip();
  }

  legend(item) {
    const rows = item.classes.map((c) => make("li", {}, make("span", { class: "swatch", style: `background:${c.colour}` }), make("span", {}, c.name), make("span", { class: "share" }, percent(c.share))));
    this.parts.legend.replaceChildren(make("ul", {}, ...rows));
  }

  // A word that goes by itself.
  flash(text) {
    const p = this.parts;
    p.message.textContent = text;
    p.message.hidden = false;
    setTimeout(() => this.show(), 2500);
  }

  toggleOverlay() {
    this.overlay = !this.overlay;
    this.setOpacity(this.opacity);
  }

  setOpacity(opacity) {
    if (opacity !== this.opacity) this.overlay = true;
    this.opacity = opacity;
    this.slider.value = opacity;
    this.overBox.checked = this.overlay;
    this.over.style.opacity = this.overlay ? opacity : 0;
  }

  enlarge() {
    const wide = this.below.classList.toggle("wide");
    this.parts.evidence.scrollIntoView({ block: wide ? "start" : "nearest" });
  }

  toggleHelp(open = this.help.hidden) { this.help.hidden = !open; }

  // The name of the class under the pointer.
  point(event) {
    const item = this.items.get(this.at);
    const image = event.currentTarget.querySelector("img");
    if (!item || !item.label || !this.label.naturalWidth) return;
    const box = image.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.label.naturalWidth);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.label.naturalHeight);
    if (x < 0 || y < 0 || x >= this.label.naturalWidth || y >= this.label.naturalHeight) return this.hideTip();
    if (!this.colours) {
      const canvas = make("canvas", { width: this.label.naturalWidth, height: this.label.naturalHeight });
      this.colours = canvas.getContext("2d", { willReadFrequently: true });
      this.colours.drawImage(this.label, 0, 0);
    }
    const [r, g, b] = this.colours.getImageData(x, y, 1, 1).data;
    const colour = "#" + [r, g, b].map((v) => v.toString(16).padStart(2, "0")).join("");
    const found = item.classes.find((c) => c.colour === colour);
    this.tip.textContent = found ? found.name : "";
    this.tip.hidden = !found;
    this.tip.style.left = event.clientX + 14 + "px";
    this.tip.style.top = event.clientY + 14 + "px";
  }

  hideTip() { this.tip.hidden = true; }
}

function set(image, url) {
  if (image.getAttribute("src") !== (url || "")) url ? image.setAttribute("src", url) : image.removeAttribute("src");
}

// Score against threshold, as a bar and in numbers.
function meter(item) {
  if (item.score === null || item.score === undefined) return [];
  const bar = make("div", { class: "bar" }, make("div", { class: "fill", style: `width:${100 * item.score}%` }));
  if (item.threshold !== null) bar.append(make("div", { class: "mark", style: `left:${100 * item.threshold}%` }));
  const told = item.score.toFixed(3) + (item.threshold === null ? "" : ` of ${item.threshold.toFixed(2)}`);
  return [bar, make("span", {}, told)];
}

const queues = new WeakMap();

export default function (component) {
  const { parentElement, data: [data], setStateValue } = component;
  let queue = queues.get(parentElement);
  if (!queue) {
    const root = parentElement.querySelector(".root");
    queue = new Queue(root, (said) => queue.set("said", said));
    queues.set(parentElement, queue);
  }
  queue.set = setStateValue;
  queue.receive(data);
  return () => { queue.end(); queues.delete(parentElement); };
}
