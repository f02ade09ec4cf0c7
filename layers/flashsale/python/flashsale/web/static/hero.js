// The top of the page: the time left by the server's clock, the stock as a number, a bar and a map
// on which every item is a dot.
import { OFFLINE } from "./api.js";
import { byId, count, say } from "./dom.js";

const clockTime = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export class Hero {
  #said = "";

  /** `isMine` tells whether the buyer has an item, `open` is called with the dot that was clicked. */
  constructor({ stock, isMine, open }) {
    Object.assign(this, { stock, isMine });
    this.canvas = byId("map");
    this.canvas.addEventListener("click", (event) => { const item = this.#itemAt(event); if (item) open(item); });
    this.canvas.addEventListener("pointermove", (event) => { const item = this.#itemAt(event); this.canvas.title = item ? `No. ${item}` : ""; });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    setInterval(() => this.tick(), 250);
  }

  tick() {
    const now = this.stock.now(), sale = this.stock.sale;
    if (now == null || !sale) return;
    const left = Math.max(0, Math.ceil((sale.ends - now) / 1000));
    const gone = this.stock.sold >= sale.total;
    set("countdown", left ? time(left) : "00:00");
    set("clock-label", !left ? "The next sale is being opened" : gone ? "Sold out. The next sale begins in" : "This sale ends in");
    set("next", `The next one begins at ${clockTime(sale.ends)}`);
    this.#sayTime(left, gone);
  }

  update() {
    const { sale, sold } = this.stock;
    this.#trouble();
    if (!sale) return;
    const left = sale.total - sold;
    set("left", count(left));
    set("of", left ? `of ${count(sale.total)} left` : `left: all ${count(sale.total)} are sold`);
    const bar = byId("bar");
    bar.setAttribute("aria-valuemax", sale.total);
    bar.setAttribute("aria-valuenow", left);
    bar.setAttribute("aria-valuetext", `${count(left)} of ${count(sale.total)} left`);
    byId("fill").style.transform = `scaleX(${left / sale.total})`;
    this.tick();
    this.draw();
  }

  draw() {
    const { sale } = this.stock;
    const { clientWidth, clientHeight } = this.canvas;
    if (!sale || !clientWidth) return;
    const wide = Math.round(clientWidth * devicePixelRatio), high = Math.round(clientHeight * devicePixelRatio);
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    const { columns, rows } = this.#layout();
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    const [free, sold, own] = [colour("--free"), colour("--seal"), colour("--own")];
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, wide, high);
    const x = (column) => Math.round(column * wide / columns), y = (row) => Math.round(row * high / rows);
    for (let item = 1; item <= sale.total; item += 1) {
      const column = (item - 1) % columns, row = Math.floor((item - 1) / columns);
      pen.fillStyle = this.isMine(item) ? own : this.stock.isSold(item) ? sold : free;
      const broad = x(column + 1) - x(column), tall = y(row + 1) - y(row);
      const gap = Math.min(wide / columns, high / rows) >= 4 ? 1 : 0;
      pen.fillRect(x(column), y(row), broad - gap, tall - gap);
    }
  }

  #layout() {
    const { clientWidth, clientHeight } = this.canvas, { total } = this.stock.sale;
    const columns = Math.max(1, Math.min(total, Math.round(Math.sqrt(total * clientWidth / clientHeight))));
    return { columns, rows: Math.ceil(total / columns) };
  }

  #itemAt({ offsetX, offsetY }) {
    if (!this.stock.sale) return null;
    const { columns, rows } = this.#layout();
    const column = Math.floor(offsetX * columns / this.canvas.clientWidth);
    const row = Math.floor(offsetY * rows / this.canvas.clientHeight);
    const item = row * columns + column + 1;
    return column >= 0 && column < columns && row >= 0 && item <= this.stock.sale.total ? item : null;
  }

  #trouble() {
    const { trouble, heard } = this.stock, place = byId("trouble");
    place.hidden = !trouble;
    const since = heard ? ` What you see is from ${new Date(heard).toLocaleTimeString()}.` : "";
    const text = !trouble ? "" : trouble === OFFLINE
      ? `You are offline.${since} It goes on as soon as you are back.`
      : `The shop doesn't answer.${since} We keep trying.`;
    if (place.textContent !== text) place.textContent = text;
  }

  // A timer that speaks every second would let nobody hear anything else.
  #sayTime(left, gone) {
    const now = gone ? "gone" : [600, 300, 60, 30].find((mark) => left === mark) ?? "";
    if (!now || now === this.#said) return;
    this.#said = now;
    say(gone ? "Everything is sold" : left >= 60 ? `${left / 60} minutes left` : `${left} seconds left`);
  }
}

function time(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  return `${hours ? `${hours}:` : ""}${two(minutes)}:${two(seconds % 60)}`;
}

function set(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
}
