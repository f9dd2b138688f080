/** Explain the keys, and let a person change them. */

import { byId, element, isolated } from "./dom.js";
import { COMMANDS, className, keyOf, mayBeGiven, remap, reset } from "./keys.js";
import { changed, state } from "./state.js";

let waiting = null; // the button that takes the next key

/** Connect the dialog; it gives the focus back to where it was. */
export function connect() {
  const dialog = byId("help");
  byId("close-help").addEventListener("click", () => dialog.close());
  byId("reset-keys").addEventListener("click", () => {
    reset();
    list();
  });
  byId("keys").addEventListener("click", (event) => ask(event.target.closest("button")));
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("close", () => (waiting = null));
}

export function open() {
  list();
  byId("help").showModal();
}

/** List every class and command with its key. */
function list(focused = null) {
  const classes = state.table.classes.map((label) => [className(label), isolated(label)]);
  const commands = COMMANDS.map(([name, , text]) => [name, text]);
  byId("keys").replaceChildren(...[...classes, ...commands].map(([name, text]) => line(name, text)));
  if (focused) [...byId("keys").querySelectorAll("button")].find((one) => one.dataset.name === focused)?.focus();
  changed();
}

function line(name, text) {
  const says = typeof text === "string" ? text : text.textContent;
  const attributes = { type: "button", "data-name": name, "aria-label": `change the key of ${says}, now ${keyOf(name) || "none"}` };
  return element("li", {}, element("button", { ...attributes, text: keyOf(name) || "none" }), element("span", {}, text));
}

function ask(button) {
  if (!button) return;
  list(button.dataset.name);
  waiting = button.dataset.name;
  const asked = [...byId("keys").querySelectorAll("button")].find((one) => one.dataset.name === waiting);
  asked.textContent = "press a key";
  asked.classList.add("waiting");
  byId("key-message").textContent = "Press the new key; Escape leaves it as it is.";
}

function onKey(event) {
  if (!waiting) return;
  const name = waiting;
  if (event.key === "Escape") event.preventDefault();
  else if (mayBeGiven(event)) remap(name, event.key.toLowerCase());
  else return;
  event.preventDefault();
  waiting = null;
  byId("key-message").textContent = "";
  list(name);
}
