// What this browser remembers: the buyer's name, codes without a final answer, purchases. A code is
// written down before it is first sent, so that a reload, a crash or another tab can go on with it.

const memory = new Map(); // where storage is forbidden, the page is all there is

function read(name, fallback) {
  try {
    const text = localStorage.getItem(`flashsale:${name}`);
    return text == null ? memory.get(name) ?? fallback : JSON.parse(text);
  } catch {
    return memory.get(name) ?? fallback;
  }
}

function write(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(`flashsale:${name}`, JSON.stringify(value));
  } catch {
    // full or forbidden: this page still knows
  }
}

const list = (name) => {
  const found = read(name, []);
  return Array.isArray(found) ? found.filter((each) => each && typeof each === "object") : [];
};

export const BUYER = /^[A-Za-z0-9._@:-]{1,64}$/;
export const LIMIT = 10;
const KEPT_MAX = 200;

export function buyer() {
  const name = read("buyer", "");
  return typeof name === "string" && BUYER.test(name) ? name : "";
}
export const setBuyer = (name) => write("buyer", name);

/** Codes without a final answer: {code, item, name, image, sale, buyer, sent}. */
export const pending = () => list("pending").filter((each) => typeof each.code === "string");
export function keepPending(record) {
  write("pending", [...pending().filter((each) => each.code !== record.code), record]);
}
export function dropPending(code) {
  write("pending", pending().filter((each) => each.code !== code));
}

/** Purchases, newest first: {purchase_id, item, name, image, sale, buyer, at}. */
export const purchases = () => list("purchases");
export const mine = () => purchases().filter((each) => each.buyer === buyer());
export function keepPurchase(record) {
  const others = purchases().filter((each) => each.purchase_id !== record.purchase_id || each.item !== record.item);
  write("purchases", [record, ...others].slice(0, KEPT_MAX));
}

/** That the shop said this buyer has ten of this sale, wherever they were bought. */
export const atLimit = (sale) => list("limits").some((each) => each.sale === sale && each.buyer === buyer());
export function keepLimit(sale, name) {
  write("limits", [{ sale, buyer: name }, ...list("limits")].slice(0, 20));
}

/** Call back when another tab has changed something. */
export function onChange(call) {
  addEventListener("storage", (event) => { if (event.key?.startsWith("flashsale:")) call(); });
}
