// The API to read and to try, drawn from its own description.
import { byId, el, say } from "./dom.js";

const LONGEST_SHOWN = 4000;
let buyer = "";
try { buyer = JSON.parse(localStorage.getItem("flashsale:buyer") ?? '""'); } catch { /* nobody yet */ }

const description = await fetch("/openapi.json").then((reply) => (reply.ok ? reply.json() : null)).catch(() => null);
if (description) draw(description);
else byId("loading").textContent = "The description didn't arrive. Load the page again.";

function draw({ info, paths }) {
  byId("about").replaceChildren(...info.description.trim().split("\n\n").map((paragraph) => el("p", {}, prose(paragraph))));
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })));
  byId("contents").replaceChildren(el("ul", {}, operations.map((each) =>
    el("li", {}, el("a", { href: `#${each.operationId}` }, verb(each.method), each.path)))));
  byId("operations").replaceChildren(...operations.map(section));
  byId("text").hidden = false;
  byId("loading").hidden = true;
  if (location.hash) byId(location.hash.slice(1))?.scrollIntoView();
}

function verb(method) {
  return el("span", { class: `verb ${method.toLowerCase()}` }, `${method} `);
}

/** Text with `code` in it. */
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));
}

function section(operation) {
  const title = `${operation.operationId}-title`;
  return el("section", { class: "operation", id: operation.operationId, "aria-labelledby": title },
    el("h2", { id: title }, verb(operation.method), operation.path),
    el("p", { class: "what" }, operation.summary),
    operation.description ? el("p", { class: "quiet" }, prose(operation.description)) : null,
    tryOut(operation),
    el("details", {}, el("summary", {}, "Every answer"),
      el("div", { class: "answers" }, Object.entries(operation.responses).map(answers))));
}

function tryOut(operation) {
  const answer = el("div", { class: "answer", role: "region", "aria-label": `Answer of ${operation.method} ${operation.path}`, tabindex: "-1" });
  const curl = el("pre", { class: "curl", tabindex: "0", "aria-label": "The same with curl" });
  const form = el("form", { class: "try", novalidate: true },
    el("div", { class: "inputs" }, operation.parameters.map((parameter) => input(operation, parameter))),
    el("div", { class: "send" }, el("button", { class: "main", type: "submit" }, "Send"), curl), answer);
  const tell = () => { curl.textContent = `curl ${operation.method === "GET" ? "" : `-X ${operation.method} `}"${location.origin}${target(operation, form)}"`; };
  form.addEventListener("input", tell);
  form.addEventListener("tell", tell);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(operation, form, answer); });
  tell();
  return form;
}

function input(operation, { name, description, required, example, schema }) {
  const bounds = schema.type === "integer" ? `${schema.minimum} to ${schema.maximum}` : schema.pattern ? schema.pattern.replace(/^\^|\$$/g, "") : "";
  const value = name === "user_id" ? buyer || example : name === "code" ? "" : required ? example : "";
  return el("label", {}, `${name}${required ? "" : " (optional)"}`,
    el("input", { type: "text", name, id: `${operation.operationId}-${name}`, value: String(value), autocomplete: "off", spellcheck: "false", inputmode: schema.type === "integer" ? "numeric" : null }),
    el("small", {}, prose(description), bounds ? ` ${bounds}` : null));
}

/** Path and query as the form has them. Nothing is checked here: the service's own answer teaches. */
function target({ path, parameters }, form) {
  const query = [];
  let filled = path;
  for (const parameter of parameters) {
    const value = form.elements[parameter.name].value;
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.required || value) query.push(`${parameter.name}=${encodeURIComponent(value)}`);
  }
  return query.length ? `${filled}?${query.join("&")}` : filled;
}

async function send(operation, form, place) {
  const asked = target(operation, form), began = performance.now();
  place.replaceChildren(el("p", { class: "quiet" }, "Waiting for the answer…"));
  try {
    const reply = await fetch(asked, { method: operation.method, cache: "no-store" });
    const text = await reply.text(), took = Math.round(performance.now() - began);
    show(place, reply, text, took, asked);
    if (reply.ok && operation.operationId === "checkout") passOn(JSON.parse(text).checkout_code);
  } catch {
    place.replaceChildren(el("p", { class: "bad" }, "No answer at all. For a purchase that means: send the same code again."));
  }
}

function show(place, reply, text, took, asked) {
  const kind = reply.headers.get("content-type") ?? "";
  const again = reply.headers.get("retry-after");
  const line = `${reply.status} ${reply.statusText}`.trim();
  place.replaceChildren(
    el("h3", {}, el("span", { class: reply.ok ? "good" : "bad" }, line), ` in ${took} ms${again ? `, retry after ${again} s` : ""}`),
    kind.startsWith("image/svg") && reply.ok
      ? el("img", { src: asked, alt: "The picture that came back" })
      : el("pre", { tabindex: "0", "aria-label": "Body of the answer" }, pretty(text)));
  say(`Answered: ${line}`);
}

/** A code is for buying: put it where the purchase wants it. */
function passOn(code) {
  const field = byId("purchase-code");
  if (!field) return;
  field.value = code;
  field.form.dispatchEvent(new Event("tell"));
}

function pretty(text) {
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* as it is */ }
  return shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN)}\n… ${shown.length - LONGEST_SHOWN} more characters` : shown;
}

function answers([status, { description, content = {} }]) {
  const [kind, body = {}] = Object.entries(content)[0] ?? [];
  const examples = body.examples ? Object.values(body.examples).map(({ value }) => value) : "example" in body ? [body.example] : [];
  return el("div", {}, el("h3", {}, `${status}  ${description}`),
    examples.length ? el("pre", { tabindex: "0", "aria-label": `Examples of ${status}` },
      examples.map((each) => (kind === "application/json" ? JSON.stringify(each, null, status === "200" ? 2 : 0) : each)).join("\n")) : null);
}
