// Makes elements. Text is always text: nothing here, or anywhere else, parses markup.

/** el("p", {class: "quiet", onclick: f, hidden: true}, "text", node, null) */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else if (value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Tell a screen reader something; others see it on the page. */
export function say(text) {
  byId("say").textContent = text;
}

export const count = (number) => number.toLocaleString("en");

/** A dialog's content anew; the focus goes to what asks for it, or else stays where it was. */
export function fill(dialog, ...children) {
  const held = dialog.contains(document.activeElement) ? document.activeElement.id : "";
  dialog.replaceChildren(...children.filter(Boolean));
  if (!dialog.open) return;
  const next = dialog.querySelector("[data-focus]:not(:disabled)") ?? (held && byId(held));
  (next || dialog.querySelector("button:not(:disabled)"))?.focus({ preventScroll: true });
}

export const shut = (dialog) => el("button", {
  type: "button", class: "plain shut", id: `${dialog.id}-shut`, "aria-label": "Close",
  onclick: () => dialog.close(),
}, "✕");

/** A click beside the dialog closes it, as Escape does. */
export function closesOutside(dialog) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
