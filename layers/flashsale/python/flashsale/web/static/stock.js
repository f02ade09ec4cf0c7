// How the sale stands: one small answer for all ten thousand items, asked for every second while
// somebody looks and something is sold, and every two seconds else. It also brings the server's time, the only clock that counts.
import { ask, OFFLINE, pause } from "./api.js";

const MOVING_MS = 1000, STILL_MS = 2000, HIDDEN_MS = 15000;

export class Stock extends EventTarget {
  sale = null; // {id, starts, ends, total}
  sold = 0;
  trouble = ""; // why nothing is heard, "" while all is well
  heard = null; // when something was heard last, server time
  #bits = new Uint8Array();
  #offset = null; // server time minus performance.now(), which no one can set
  #moving = false;
  #failures = 0;
  #timer = 0;
  #asking = false;

  start() {
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.look(); });
    addEventListener("online", () => this.look());
    addEventListener("offline", () => this.look());
    return this.look();
  }

  /** The server's time now, ms; null before it has told. */
  now() {
    return this.#offset == null ? null : performance.now() + this.#offset;
  }

  isSold(item) {
    return Boolean(this.#bits[(item - 1) >> 3] & (1 << ((item - 1) & 7)));
  }

  /** Somebody told us that this item is gone before the next look would. */
  noteSold(item) {
    if (this.isSold(item) || !this.sale) return;
    this.#bits[(item - 1) >> 3] |= 1 << ((item - 1) & 7);
    this.sold += 1;
    this.dispatchEvent(new Event("change"));
  }

  async look() {
    if (this.#asking) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    const began = performance.now();
    const answer = await ask("GET", "/stock");
    this.#asking = false;
    if (answer.kind === "yes") this.#learn(answer.told, began);
    else this.#fail(answer);
    this.#timer = setTimeout(() => this.look(), this.#wait(answer));
  }

  #learn(told, began) {
    const ended = performance.now();
    this.#offset = told.now_ms - (began + ended) / 2;
    const turned = this.sale !== null && this.sale.id !== told.sale_id;
    const bits = Uint8Array.from(atob(told.sold), (c) => c.charCodeAt(0));
    // What is sold stays sold, also where this answer is older than what we know.
    if (this.sale?.id === told.sale_id) bits.forEach((byte, i) => { bits[i] = byte | this.#bits[i]; });
    this.#bits = bits;
    this.sale = { id: told.sale_id, starts: told.start_time * 1000, ends: told.end_time * 1000, total: told.total_items };
    const sold = ones(bits);
    this.#moving = sold !== this.sold;
    this.sold = sold;
    this.heard = this.now();
    this.#failures = 0;
    this.trouble = "";
    if (turned) this.dispatchEvent(new Event("turn"));
    this.dispatchEvent(new Event("change"));
  }

  #fail(answer) {
    this.#failures += 1;
    this.trouble = answer.why === OFFLINE ? OFFLINE : "away";
    this.dispatchEvent(new Event("change"));
  }

  #wait(answer) {
    if (this.#failures) return pause(this.#failures, answer.wait ?? 0);
    const usual = document.hidden ? HIDDEN_MS : (this.#moving ? MOVING_MS : STILL_MS) * (0.9 + Math.random() * 0.2);
    // When the hour turns, look soon after, but not all at once.
    const left = this.sale.ends - this.now();
    return Math.max(250, Math.min(usual, left + Math.random() * 600));
  }
}

function ones(bytes) {
  let sum = 0;
  for (let byte of bytes) for (; byte; byte &= byte - 1) sum += 1;
  return sum;
}
