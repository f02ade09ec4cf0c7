// One buyer's attempt to buy one item, in two steps: a checkout gives a code, the code buys. The
// code is sent again, and never another one, until the shop has given a final answer.
import { ask, OFFLINE, pause, sleep } from "./api.js";
import * as keep from "./keep.js";

/* States: ready, checking_out, checkout_again, code, buying, unknown
   and the final ones: yours, sold_out, limit_exceeded, code_expired, sale_ended, refused */
export const FINAL = new Set(["yours", "sold_out", "limit_exceeded", "code_expired", "sale_ended", "refused"]);

export class Attempt extends EventTarget {
  state = "ready";
  why = ""; // the word of an answer that was none
  message = ""; // the shop's own words of a refusal
  until = 0; // when it is tried again, performance.now()
  tries = 0;
  purchase = null;
  #given_up = false;

  constructor(record) {
    super();
    this.record = record; // {item, name, image, sale, buyer}, later with code and sent
    if (record.code) this.state = "code";
  }

  get final() { return FINAL.has(this.state); }
  get underWay() { return this.state === "buying" || this.state === "unknown"; }

  /** The first step. Asking for a code twice harms nobody, so it is repeated until told not to. */
  async checkOut() {
    if (this.state !== "ready") return;
    const { buyer, item } = this.record;
    const path = `/checkout?user_id=${encodeURIComponent(buyer)}&id=${item}`;
    for (this.tries = 1; !this.#given_up; this.tries += 1) {
      this.#become("checking_out");
      const answer = await ask("POST", path);
      if (this.#given_up) return;
      if (answer.kind === "yes" && typeof answer.told.checkout_code === "string") {
        this.record = { ...this.record, code: answer.told.checkout_code, sent: false };
        keep.keepPending(this.record);
        return this.#become("code");
      }
      if (answer.kind === "no") return this.#refused(answer);
      await this.#wait("checkout_again", answer);
    }
  }

  /** The second step, and all its repetitions. */
  async buy() {
    if (this.state !== "code") return;
    this.record = { ...this.record, sent: true };
    keep.keepPending(this.record);
    const path = `/purchase?code=${encodeURIComponent(this.record.code)}`;
    for (this.tries = 1; ; this.tries += 1) {
      this.#become("buying");
      const answer = await ask("POST", path);
      if (answer.kind === "yes" && typeof answer.told.purchase_id === "string") {
        return this.#bought(answer.told.purchase_id);
      }
      if (answer.kind === "no") return this.#refused(answer);
      await this.#wait("unknown", answer);
    }
  }

  /** Leave it, as long as nothing was bought or may have been. */
  giveUp() {
    if (this.underWay || this.final) return;
    this.#given_up = true;
    if (this.record.code) keep.dropPending(this.record.code);
  }

  #bought(purchase_id) {
    const { item, name, image, sale, buyer, code } = this.record;
    this.purchase = { purchase_id, item, name, image, sale, buyer, at: Date.now() };
    keep.keepPurchase(this.purchase);
    keep.dropPending(code);
    this.#become("yours");
  }

  #refused({ error, message }) {
    if (this.record.code) keep.dropPending(this.record.code);
    if (error === "limit_exceeded") keep.keepLimit(this.record.sale, this.record.buyer);
    this.message = message;
    this.#become(FINAL.has(error) ? error : "refused");
  }

  async #wait(state, answer) {
    this.why = answer.why;
    const milliseconds = answer.why === OFFLINE ? 30000 : pause(this.tries, answer.wait);
    this.until = performance.now() + milliseconds;
    this.#become(state);
    await sleep(milliseconds);
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/** All attempts of this page, by sale, item and buyer; those that a former page left go on. */
export class Attempts extends EventTarget {
  #all = new Map();

  resume() {
    for (const record of keep.pending()) {
      const attempt = this.#add(record);
      if (record.sent) attempt.buy();
    }
  }

  /** The attempt that is under way for this item, or a new one. */
  of(record) {
    const known = this.#all.get(key(record));
    return known && !known.final ? known : this.#add(record);
  }

  find(record) { return this.#all.get(key(record)); }
  forget(attempt) { attempt.giveUp(); if (!attempt.underWay) this.#all.delete(key(attempt.record)); }
  underWay() { return [...this.#all.values()].filter((attempt) => attempt.underWay); }

  #add(record) {
    const attempt = new Attempt(record);
    this.#all.set(key(record), attempt);
    attempt.addEventListener("change", () => this.dispatchEvent(new CustomEvent("change", { detail: attempt })));
    return attempt;
  }
}

const key = ({ sale, item, buyer }) => `${sale} ${item} ${buyer}`;
