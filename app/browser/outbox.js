// Outbox: decisions that the server has not confirmed yet. They lie in this browser's storage until it has, so neither a reload nor the
// end of the server loses a click. Each has an id of its own, so one that arrives twice counts once.

class Outbox {
  constructor(owner) {
    this.prefix = `curation-outbox\n${owner}\n`; // one entry a decision: another tab of the same reviewer has its own
    this.waiting = [];
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (key.startsWith(this.prefix)) this.waiting.push(JSON.parse(localStorage.getItem(key)));
      }
    } catch { /* no storage, or not ours: what is there already counts */ }
    this.waiting.sort((a, b) => a.time.localeCompare(b.time) || (a.n || 0) - (b.n || 0));
    this.n = Math.max(0, ...this.waiting.map((d) => d.n || 0)); // clicks of one batch have one time
  }

  add(decision) {
    this.n += 1;
    const made = { uuid: newId(), time: new Date().toISOString(), ...decision, n: this.n };
    this.waiting.push(made);
    try {
      localStorage.setItem(this.prefix + made.uuid, JSON.stringify(made));
    } catch { /* storage is full or switched off: what waits still lies in memory */ }
    return made;
  }

  confirm(uuids) {
    const known = new Set(uuids);
    for (const { uuid } of this.waiting) {
      if (!known.has(uuid)) continue;
      try {
        localStorage.removeItem(this.prefix + uuid);
      } catch { /* no storage */ }
    }
    this.waiting = this.waiting.filter((d) => !known.has(d.uuid));
  }
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID(); // only where the page is secure; http in a local network is not
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

// An element with attributes and children; texts become text, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Whether a key was meant for a field that takes text.
function isTyping(event) {
  const target = event.composedPath()[0];
  return event.ctrlKey || event.metaKey || event.altKey || (target.matches && target.matches("input:not([type=range]), textarea, select, [contenteditable=true]"));
}

const percent = (share) => (share >= 0.0995 ? (100 * share).toFixed(0) : (100 * share).toFixed(1)) + " %";

// Take the keys back from a field of the page in which something was chosen, so that they decide again; not from one in which somebody types
// what is not chosen yet. order: what is chosen, as the page names it.
function takeKeys(order) {
  const field = document.activeElement;
  if (field && field.matches("input, [role=combobox]") && (field.matches("[role=combobox]") || order.includes("|" + field.value))) field.blur();
}
