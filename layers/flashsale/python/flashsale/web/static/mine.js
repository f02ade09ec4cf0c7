// Who is buying, what they have bought, and how many more they may.
import { byId, closesOutside, el, fill, shut } from "./dom.js";
import * as keep from "./keep.js";

export class Mine {
  #answer = null;

  /** `changed` is called when the buyer is somebody else; `attempts` has what is under way. */
  constructor({ stock, attempts, changed }) {
    Object.assign(this, { stock, attempts, changed });
    this.list = byId("mine");
    this.dialog = byId("name");
    [this.list, this.dialog].forEach(closesOutside);
    byId("open-mine").addEventListener("click", () => { this.#drawList(); this.list.showModal(); });
    byId("who").addEventListener("click", () => this.askName());
    this.dialog.addEventListener("close", () => { this.#answer?.(keep.buyer()); this.#answer = null; });
  }

  ofSale() { return keep.mine().filter((each) => each.sale === this.stock.sale?.id); }
  purchaseOf(item) { return this.ofSale().find((each) => each.item === item); }
  full() { return this.#number() >= keep.LIMIT; }

  #number() {
    const sale = this.stock.sale?.id;
    return sale && keep.atLimit(sale) ? keep.LIMIT : Math.min(keep.LIMIT, this.ofSale().length);
  }

  update() {
    const number = this.#number();
    byId("who-as").hidden = !keep.buyer();
    byId("who-name").textContent = keep.buyer() || "Choose a name";
    byId("mine-count").textContent = `${number} of ${keep.LIMIT}`;
    byId("pips").replaceChildren(...Array.from({ length: keep.LIMIT }, (_, index) => el("i", { class: index < number ? "on" : null })));
    if (this.list.open) this.#drawList();
  }

  /** Ask for the buyer's name; the answer is "" if none is given. */
  askName() {
    fill(this.dialog, el("form", { class: "inner", novalidate: true, onsubmit: (event) => this.#take(event) },
      el("h2", { id: "name-title" }, "Who is buying?"),
      el("p", { class: "quiet" }, "Any name will do; there are no passwords here. Items belong to the name, and ten of a sale are all that one name may buy."),
      el("div", { class: "field" },
        el("label", { for: "buyer" }, "Your name"),
        el("input", { type: "text", id: "buyer", name: "buyer", value: keep.buyer(), maxlength: "64", autocomplete: "nickname", autocapitalize: "off", spellcheck: "false", "aria-describedby": "buyer-rule buyer-wrong", "data-focus": true }),
        el("p", { id: "buyer-rule", class: "quiet" }, "1 to 64 of A–Z a–z 0–9 . _ - @ :"),
        el("p", { id: "buyer-wrong", class: "wrong", role: "alert" })),
      el("div", { class: "acts" }, el("button", { class: "main", type: "submit" }, "That’s me"))), shut(this.dialog));
    this.dialog.showModal();
    byId("buyer").focus();
    return new Promise((resolve) => { this.#answer = resolve; });
  }

  #take(event) {
    event.preventDefault();
    const field = byId("buyer"), name = field.value.trim();
    if (!keep.BUYER.test(name)) {
      field.setAttribute("aria-invalid", "true");
      byId("buyer-wrong").textContent = name ? wrong(name) : "A name is needed.";
      return field.focus();
    }
    keep.setBuyer(name);
    this.dialog.close();
    this.changed();
  }

  #drawList() {
    const bought = keep.mine(), now = this.stock.sale?.id;
    const waiting = this.attempts.underWay().filter(({ record }) => record.buyer === keep.buyer());
    const parts = [["This sale", bought.filter((each) => each.sale === now)], ["Earlier", bought.filter((each) => each.sale !== now)]];
    fill(this.list, el("div", { class: "inner" },
      el("h2", { id: "mine-title" }, "My purchases"),
      el("p", { class: "quiet" }, keep.buyer()
        ? `Bought by ${keep.buyer()} in this browser: ${this.#number()} of ${keep.LIMIT} in this sale.`
        : "Nobody is buying yet. Choose an item, and give a name."),
      waiting.length ? el("h3", {}, "Not known yet") : null,
      waiting.length ? el("ul", { class: "bought" }, waiting.map(({ record }) => row(record, "the same code is being tried again"))) : null,
      parts.filter(([, each]) => each.length).map(([title, each]) => [
        el("h3", {}, title), el("ul", { class: "bought" }, each.map((one) => row(one, one.purchase_id, one.at)))]),
    ), shut(this.list));
  }
}

function row({ item, name, image }, told, at) {
  const when = at ? ` · ${new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}` : "";
  return el("li", {}, el("img", { src: image, alt: "", width: "64", height: "64" }),
    el("div", {}, el("b", {}, name), el("span", { class: "quiet" }, `No. ${item}${when}`), el("br"), el("code", {}, told)));
}

function wrong(name) {
  const odd = [...name].find((character) => !/[A-Za-z0-9._@:-]/.test(character));
  return odd ? `“${odd === " " ? "space" : odd}” can’t be part of a name here.` : "That is too long: 64 characters at most.";
}
