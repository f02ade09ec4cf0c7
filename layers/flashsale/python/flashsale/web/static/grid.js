// The catalogue, a page at a time: real links in a list, so that a keyboard, a screen reader and the
// browser's own history and search work as everywhere else.
import { pause } from "./api.js";
import { byId, count, el } from "./dom.js";

const PAGE = 48;

export class Grid {
  #cards = new Map();
  #drawn = 0;
  #failures = 0;
  #timer = 0;

  /** `isMine` tells whether the buyer has an item, `change` is called with a new view. */
  constructor({ stock, catalogue, isMine, change }) {
    Object.assign(this, { stock, catalogue, isMine, change });
    this.list = byId("grid");
    this.#skeleton(PAGE);
  }

  /** Show a view: {page, q, unsold}. */
  async show(view) {
    const turn = ++this.#drawn;
    clearTimeout(this.#timer);
    const numbers = await this.#numbers(view);
    if (turn !== this.#drawn) return;
    if (!numbers) return this.#failed(view);
    const last = Math.max(1, Math.ceil(numbers.length / PAGE));
    const page = Math.min(Math.max(1, view.page), last);
    const ids = numbers.slice((page - 1) * PAGE, page * PAGE);
    const items = ids.length ? await this.catalogue.items(ids) : [];
    if (turn !== this.#drawn) return;
    if (!items) return this.#failed(view);
    this.#failures = 0;
    this.#cards = new Map(items.map((item) => [item.id, this.#card(item)]));
    this.list.replaceChildren(...[...this.#cards.values()].map((card) => el("li", {}, card)));
    this.update();
    this.#tell(view, numbers.length, page, last, ids);
  }

  /** Bring every card's state up to date. */
  update() {
    for (const [id, card] of this.#cards) {
      const own = this.isMine(id), gone = own || this.stock.isSold(id);
      const before = card.classList.contains("gone");
      card.classList.toggle("own", own);
      card.classList.toggle("gone", gone);
      card.classList.toggle("fresh", gone && !before && card.dataset.seen === "1");
      card.dataset.seen = "1";
      const state = own ? "Yours" : gone ? "Sold" : "";
      const place = card.querySelector(".word");
      if (place.textContent !== state) place.textContent = state;
      place.classList.toggle("state", Boolean(state));
    }
  }

  async #numbers({ q, unsold }) {
    const sale = this.stock.sale;
    if (!sale) return null;
    const found = q ? await this.catalogue.search(q) : Array.from({ length: sale.total }, (_, index) => index + 1);
    return found && unsold ? found.filter((id) => !this.stock.isSold(id)) : found;
  }

  #card({ id, name, image }) {
    return el("a", { class: "card", href: `/?item=${id}`, "data-item": String(id) },
      el("span", { class: "frame" }, el("img", { src: image, alt: "", loading: "lazy", decoding: "async", width: "200", height: "200" })),
      el("span", { class: "number" }, el("span", {}, `No. ${id}`), el("span", { class: "word" })),
      el("span", { class: "called" }, name));
  }

  #skeleton(size) {
    this.list.replaceChildren(...Array.from({ length: size }, () => el("li", { "aria-hidden": "true" },
      el("span", { class: "card" }, el("span", { class: "frame" }), el("span", { class: "number" }, " "), el("span", { class: "called" }, " ")))));
  }

  #tell({ q, unsold }, total, page, last, ids) {
    const what = unsold ? "left" : "items";
    const where = last > 1 ? `, No. ${count(ids[0])} to ${count(ids.at(-1))}` : "";
    const which = q ? ` for “${q}”` : "";
    byId("found").textContent = total
      ? `${count(total)} ${total === 1 ? "item" : what}${which}${where}`
      : `Nothing${unsold ? " left" : ""}${which}. ${q ? "Try fewer letters, or a number up to 10,000." : "The next sale brings ten thousand more."}`;
    const go = (to) => () => this.change({ page: to });
    const step = (label, to, off) => el("button", { type: "button", onclick: go(to), disabled: off }, label);
    byId("pages").replaceChildren(...(last === 1 ? [] : [
      step("Previous", page - 1, page === 1),
      el("label", {}, "Page ", el("select", { id: "page", onchange: (event) => this.change({ page: Number(event.target.value) }) },
        Array.from({ length: last }, (_, index) => el("option", { value: String(index + 1), selected: index + 1 === page }, String(index + 1)))),
        ` of ${last}`),
      step("Next", page + 1, page === last),
    ]));
  }

  #failed(view) {
    if (!this.stock.sale) return;
    this.#failures += 1;
    byId("found").replaceChildren("The catalogue didn't arrive. We keep trying. ",
      el("button", { type: "button", onclick: () => this.show(view) }, "Try now"));
    this.#timer = setTimeout(() => this.show(view), pause(this.#failures, 0));
  }
}
