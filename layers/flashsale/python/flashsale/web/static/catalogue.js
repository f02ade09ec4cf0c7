// What the items are called. A page of them comes from /items; all ten thousand names, in one file
// that a browser keeps for good, only when somebody searches.
import { ask } from "./api.js";

export class Catalogue {
  #sale = null;
  #known = new Map();
  #all = null;
  #loading = null;

  /** Begin anew with another sale. */
  open(sale) {
    if (this.#sale?.id === sale.id) return;
    this.#sale = sale;
    this.#known = new Map();
    this.#all = this.#loading = null;
  }

  /** Items of this sale by number: {id, name, image}[]; null if they can't be had now. */
  async items(ids) {
    const sale = this.#sale;
    const missing = ids.filter((id) => !this.#known.has(id));
    if (missing.length && !this.#all) {
      const first = Math.min(...missing), last = Math.max(...missing);
      if (last - first >= 100) await this.names();
      else await this.#page(first, last - first + 1);
    }
    if (sale !== this.#sale) return null;
    const found = ids.map((id) => this.#item(id));
    return found.every(Boolean) ? found : null;
  }

  /** Every name, the first one item 1's; null if they can't be had now. */
  async names() {
    this.#loading ??= this.#load(this.#sale);
    const names = await this.#loading;
    if (!names) this.#loading = null;
    return names;
  }

  /** Numbers of the items that `text` finds: by number, or by all its words. */
  async search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const number = /^(?:no\.?|#)?\s*(\d{1,5})$/i.exec(text.trim());
    if (number) {
      const wanted = Number(number[1]);
      return wanted >= 1 && wanted <= this.#sale.total ? [wanted] : [];
    }
    const names = await this.names();
    if (!names) return null;
    const found = [];
    names.forEach((name, index) => {
      const low = name.toLowerCase();
      if (words.every((word) => low.includes(word))) found.push(index + 1);
    });
    return found;
  }

  async #page(first, limit) {
    const sale = this.#sale;
    const answer = await ask("GET", `/items?after=${first - 1}&limit=${limit}`);
    if (answer.kind !== "yes" || answer.told.sale_id !== sale.id || sale !== this.#sale) return;
    for (const { id, name, image } of answer.told.items) this.#known.set(id, { id, name, image });
  }

  async #load(sale) {
    const answer = await ask("GET", `/names?sale=${sale.starts / 1000}`);
    if (answer.kind !== "yes" || sale !== this.#sale) return null;
    this.#all = answer.told;
    return answer.told.names;
  }

  #item(id) {
    const known = this.#known.get(id);
    if (known || !this.#all) return known ?? null;
    const name = this.#all.names[id - 1];
    return name ? { id, name, image: this.#all.image.replace("{id}", id) } : null;
  }
}
