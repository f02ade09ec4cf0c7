// The counter where one item is bought: a dialog that says at every moment what is known, and what
// is not.
import { OFFLINE } from "./api.js";
import { byId, closesOutside, el, fill, say, shut } from "./dom.js";
import { LIMIT } from "./keep.js";

const ANOTHER = "Look at others";

export class Counter {
  #item = null;
  #shown = "";

  /** `context` has: stock, attempts, purchaseOf(item), full(), buyer(), askName(), saleId(), close(). */
  constructor(context) {
    this.context = context;
    this.dialog = byId("item");
    closesOutside(this.dialog);
    this.dialog.addEventListener("close", () => {
      const attempt = this.#attempt();
      if (attempt && attempt.state !== "code" && !attempt.underWay) context.attempts.forget(attempt);
      this.#item = null;
      context.close();
    });
    setInterval(() => this.#countDown(), 500);
  }

  open(item) {
    this.#item = item;
    this.#shown = "";
    if (!this.dialog.open) this.dialog.showModal();
    this.update();
  }

  get item() { return this.dialog.open ? this.#item : null; }

  /** Whether the buyer has begun to buy what is shown. */
  hasAttempt() {
    const attempt = this.#attempt();
    return Boolean(attempt && attempt.state !== "ready");
  }

  /** Draw what is known now, if it is anything new. */
  update() {
    if (!this.item) return;
    const situation = this.#situation();
    const shown = JSON.stringify([situation.name, situation.title, situation.text, situation.step]);
    if (shown === this.#shown) return;
    const before = this.#shown;
    this.#shown = shown;
    const { id, name, image } = this.#item;
    fill(this.dialog, el("div", { class: "view" },
      el("div", { class: "frame" }, el("img", { src: image, alt: `Picture: ${name}`, width: "400", height: "400" })),
      el("div", { class: "inner" },
        el("div", {}, el("p", { class: "quiet" }, `No. ${id}`), el("h2", { id: "item-name" }, name)),
        steps(situation.step),
        el("div", { class: `told ${situation.tone ?? ""}`, id: "told", "data-state": situation.name },
          el("strong", {}, situation.title), el("span", {}, situation.text), this.#when(),
          situation.code ? el("p", {}, el("code", {}, situation.code)) : null),
        el("div", { class: "acts" }, situation.acts)),
    ), shut(this.dialog));
    if (before) say(`${situation.title} ${situation.text}`);
  }

  #attempt() {
    const { attempts, saleId, buyer } = this.context;
    return this.#item && attempts.find({ sale: this.#item.sale ?? saleId(), item: this.#item.id, buyer: buyer() });
  }

  #situation() {
    const { purchaseOf, stock, full } = this.context, { id } = this.#item;
    const attempt = this.#attempt();
    const back = this.#act(ANOTHER, () => this.dialog.close());
    const bought = purchaseOf(id);
    if (bought) return { name: "yours", step: 3, tone: "good", title: "It’s yours.", text: "Bought once, for good. Your receipt:", code: bought.purchase_id, acts: back };
    if (attempt && attempt.state !== "ready") return this.#during(attempt, back);
    if (stock.isSold(id)) return { name: "gone", step: 0, tone: "bad", title: "Sold.", text: "Somebody has this one already.", acts: back };
    if (full()) return { name: "limit_exceeded", step: 0, tone: "bad", title: "You have your ten.", text: `${LIMIT} items of a sale is all that one buyer may have. The next sale brings ten more.`, acts: back };
    return { name: "ready", step: 1, title: "To be had.", text: "Checking out gets you a code to buy it with. It doesn’t hold the item: the first to buy has it.", acts: this.#act("Check out", () => this.#checkOut()) };
  }

  #during(attempt, back) {
    const again = this.#act("Check out again", () => this.#checkOut());
    const waiting = (label) => this.#act(label, () => {}, true);
    const leave = el("button", { type: "button", id: "leave", onclick: () => { this.context.attempts.forget(attempt); this.dialog.close(); } }, "Not this one");
    switch (attempt.state) {
      case "checking_out": return { name: "checking_out", step: 1, tone: "wait", title: "Checking out.", text: "Asking for your code.", acts: waiting("Checking out") };
      case "checkout_again": return { name: "checkout_again", step: 1, tone: "wait", title: "No code yet.", text: `${reason(attempt.why)} Nothing has happened yet.`, acts: [waiting("Checking out"), leave] };
      case "code": return { name: "code", step: 2, title: "You have a code.", text: "Nothing is bought yet, and others may be faster. It lasts 15 minutes, at most to the end of the sale.", acts: [this.#act("Buy it now", (event) => { if (event.detail < 2) attempt.buy(); }), leave] };
      case "buying": return { name: "buying", step: 2, tone: "wait", title: "Buying.", text: "Your code is on its way.", acts: waiting("Buying") };
      case "unknown": return { name: "unknown", step: 2, tone: "wait", title: "We don’t know yet.", text: `${reason(attempt.why)} We try the same code again; it can’t buy twice. You may close this, or the page: the code is kept.`, acts: waiting("Waiting for the answer") };
      case "sold_out": return { name: "sold_out", step: 2, tone: "bad", title: "Sold to somebody else.", text: "They were faster. You have bought nothing.", acts: back };
      case "limit_exceeded": return { name: "limit_exceeded", step: 2, tone: "bad", title: "You have your ten.", text: `${LIMIT} items of a sale is all that one buyer may have. This one was not bought.`, acts: back };
      case "code_expired": return { name: "code_expired", step: 1, tone: "bad", title: "The code has run out.", text: "Nothing was bought, and this code never buys. You can get another one.", acts: again };
      case "sale_ended": return { name: "sale_ended", step: 2, tone: "bad", title: "The sale is over.", text: "Nothing was bought, and this code never buys.", acts: back };
      default: return { name: "refused", step: 1, tone: "bad", title: "The shop said no.", text: `In its words: “${attempt.message}”. Nothing was bought.`, acts: back };
    }
  }

  async #checkOut() {
    const item = this.#item;
    const buyer = this.context.buyer() || await this.context.askName();
    if (!buyer || this.item !== item) return;
    const sale = this.context.saleId();
    const known = this.context.attempts.find({ sale, item: item.id, buyer });
    if (known?.final) this.context.attempts.forget(known);
    this.context.attempts.of({ sale, item: item.id, buyer, name: item.name, image: item.image }).checkOut();
  }

  // It keeps the focus while it waits, so it is not disabled, only says so.
  #act(label, onclick, waits = false) {
    return el("button", { type: "button", class: "main", id: "act", "data-focus": true, "aria-disabled": waits ? "true" : null, onclick }, label);
  }

  #when() {
    return el("span", { id: "when" }, this.#whenText());
  }

  #whenText() {
    const attempt = this.#attempt();
    if (!attempt || !["unknown", "checkout_again"].includes(attempt.state)) return "";
    if (attempt.why === OFFLINE) return "";
    const left = Math.max(0, Math.ceil((attempt.until - performance.now()) / 1000));
    return left ? ` Next try in ${left} s.` : " Trying now.";
  }

  #countDown() {
    const place = byId("when");
    if (place && this.dialog.open) place.textContent = this.#whenText();
  }
}

function steps(now) {
  const names = ["Check out", "Buy"];
  return el("ol", { class: "steps", "aria-label": "Steps" }, names.map((name, index) => {
    const done = now > index + 1;
    return el("li", { class: done ? "done" : now === index + 1 ? "now" : null, "aria-current": now === index + 1 ? "step" : null },
      `${done ? "✓" : index + 1 + "."} ${name}`);
  }));
}

function reason(why) {
  switch (why) {
    case OFFLINE: return "You are offline; it goes on as soon as you are back.";
    case "busy": return "Somebody is buying this item at this very moment.";
    case "slow": return "The shop takes very long to answer.";
    case "lost": return "The answer got lost on the way.";
    case "outcome_unknown": return "The shop isn’t sure itself whether it went through.";
    case "sale_not_ready": return "The sale is just being opened.";
    case "rate_limited": return "You were too fast for the shop.";
    default: return "The shop is overrun.";
  }
}
