// Waiting: on a page where nothing is clicked, what was clicked on another one and is not stored yet: sent from here, too, and told.
//
// From the server: owner, confirmed (uuids), message. To the server, as `said`: n, outbox.

const RESEND = 3000; // ms after which decisions that nobody confirmed are sent again

class Waiting {
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    this.n = 0;
    this.outbox = null;
    this.line = make("div", { class: "message", role: "status", hidden: true });
    root.replaceChildren(this.line);
    this.timer = setInterval(() => this.say(), RESEND);
  }

  end() { clearInterval(this.timer); }

  receive(data) {
    const isNew = !this.outbox || this.owner !== data.owner;
    if (isNew) {
      this.owner = data.owner;
      this.outbox = new Outbox(data.owner);
    }
    this.outbox.confirm(data.confirmed);
    const waiting = this.outbox.waiting.length;
    this.line.hidden = !waiting && !data.message;
    this.line.textContent = waiting ? `Not counted here yet: ${waiting.toLocaleString("en-US")} of your clicks. ${data.message || "They are being stored."}` : data.message || "";
    if (isNew) this.say();
  }

  say() {
    if (!this.root.isConnected) return this.end();
    if (!this.outbox || !this.outbox.waiting.length) return;
    this.n += 1;
    this.tell({ n: this.n, outbox: this.outbox.waiting });
  }
}

const shown = new WeakMap();

export default function (component) {
  const { parentElement, data: [data], setStateValue } = component;
  let waiting = shown.get(parentElement);
  if (!waiting) {
    const root = parentElement.querySelector(".root");
    waiting = new Waiting(root, (said) => waiting.set("said", said));
    shown.set(parentElement, waiting);
  }
  waiting.set = setStateValue;
  waiting.receive(data);
  return () => { waiting.end(); shown.delete(parentElement); };
}
