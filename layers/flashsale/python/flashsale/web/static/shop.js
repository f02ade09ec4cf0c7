// The storefront: puts its parts together, and keeps the address and what is shown in step.
import { Attempts } from "./attempt.js";
import { Catalogue } from "./catalogue.js";
import { Counter } from "./counter.js";
import { byId, say } from "./dom.js";
import { Grid } from "./grid.js";
import { Hero } from "./hero.js";
import * as keep from "./keep.js";
import { Mine } from "./mine.js";
import { Stock } from "./stock.js";

const TITLE = document.title;
const stock = new Stock(), attempts = new Attempts(), catalogue = new Catalogue();
const mine = new Mine({ stock, attempts, changed: refresh });
const isMine = (item) => Boolean(mine.purchaseOf(item));
const grid = new Grid({ stock, catalogue, isMine, change: (patch) => { go(patch); byId("wares").scrollIntoView(); byId("wares").focus({ preventScroll: true }); } });
const hero = new Hero({ stock, isMine, open: (item) => go({ item }) });
const counter = new Counter({
  stock, attempts,
  purchaseOf: (item) => mine.purchaseOf(item),
  full: () => mine.full(),
  buyer: keep.buyer,
  askName: () => mine.askName(),
  saleId: () => stock.sale?.id,
  close: closed,
});

let shown = null; // the view of the grid that is drawn

function view() {
  const query = new URLSearchParams(location.search);
  const number = (name) => (/^[1-9]\d{0,4}$/.test(query.get(name) ?? "") ? Number(query.get(name)) : null);
  return { page: number("page") ?? 1, q: (query.get("q") ?? "").slice(0, 60), unsold: query.get("unsold") === "1", item: number("item") };
}

/** Change what is shown; the address says it, so that it can be shared and gone back to. */
function go(patch, { replace = false } = {}) {
  const next = { ...view(), ...patch };
  const query = new URLSearchParams();
  if (next.page > 1) query.set("page", next.page);
  if (next.q) query.set("q", next.q);
  if (next.unsold) query.set("unsold", "1");
  if (next.item) query.set("item", next.item);
  const address = query.size ? `/?${query}` : "/";
  if (replace) history.replaceState({}, "", address);
  else history.pushState({ inside: true }, "", address);
  return draw();
}

async function draw() {
  const wanted = view();
  const of = JSON.stringify([stock.sale?.id, wanted.page, wanted.q, wanted.unsold]);
  if (stock.sale && of !== shown) {
    shown = of;
    if (byId("find").value !== wanted.q && document.activeElement !== byId("find")) byId("find").value = wanted.q;
    byId("unsold").checked = wanted.unsold;
    grid.show(wanted);
  }
  await showItem(wanted.item);
}

async function showItem(id) {
  if (!stock.sale || (counter.item?.id ?? null) === id) return;
  if (!id) {
    // An item of the sale before stays until its buyer has read what became of it.
    if (counter.item.sale === stock.sale.id) { document.title = TITLE; byId("item").close(); }
    return;
  }
  const found = id <= stock.sale.total ? await catalogue.items([id]) : null;
  if (view().item !== id) return;
  if (!found) { say(`No. ${id} can't be shown`); return go({ item: null }, { replace: true }); }
  document.title = `${found[0].name}, No. ${id}`;
  counter.open({ ...found[0], sale: stock.sale.id });
}

function closed() {
  document.title = TITLE;
  if (!view().item) return;
  if (history.state?.inside) history.back();
  else go({ item: null }, { replace: true });
}

function refresh() {
  mine.update();
  hero.update();
  grid.update();
  counter.update();
}

stock.addEventListener("turn", () => {
  say("A new sale has begun. All items are new.");
  if (counter.item && !counter.hasAttempt()) byId("item").close();
  history.replaceState({}, "", "/");
  shown = null;
});
stock.addEventListener("change", () => {
  if (stock.sale) { catalogue.open(stock.sale); draw(); }
  refresh();
});
attempts.addEventListener("change", ({ detail: attempt }) => {
  if (["yours", "sold_out"].includes(attempt.state) && attempt.record.sale === stock.sale?.id) stock.noteSold(attempt.record.item);
  refresh();
  if (attempt.final && counter.item?.id !== attempt.record.item) say(`${attempt.record.name}: ${attempt.state === "yours" ? "it’s yours" : "not bought"}`);
});
keep.onChange(refresh);
addEventListener("popstate", draw);

byId("grid").addEventListener("click", (event) => {
  const card = event.target.closest("a[data-item]");
  if (!card || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go({ item: Number(card.dataset.item) });
});
byId("tools").addEventListener("submit", (event) => { event.preventDefault(); search(); });
byId("find").addEventListener("focus", () => stock.sale && catalogue.names(), { once: true });
byId("find").addEventListener("input", () => { clearTimeout(search.timer); search.timer = setTimeout(search, 250); });
byId("unsold").addEventListener("change", (event) => go({ unsold: event.target.checked, page: 1 }));
byId("surprise").addEventListener("click", () => {
  const free = [];
  for (let item = 1; item <= (stock.sale?.total ?? 0); item += 1) if (!stock.isSold(item)) free.push(item);
  if (free.length) go({ item: free[Math.floor(Math.random() * free.length)] });
  else say("Everything is sold");
});

function search() {
  clearTimeout(search.timer);
  const q = byId("find").value.trim();
  if (q !== view().q) go({ q, page: 1 }, { replace: view().q !== "" });
}

byId("find").value = view().q;
mine.update();
attempts.resume();
stock.start();
