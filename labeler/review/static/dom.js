/** Make elements. Text from the table enters the page here, as text: never as HTML. */

export const byId = (id) => document.getElementById(id);

/** Return a new element; `attributes` may hold `text` and `classes`, a list. */
export function element(tag, { text, classes = [], ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.classList.add(...classes);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

const UNSEEN = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Return foreign text with its control characters as escapes: they could hide a part of it, or turn it round. */
export const visible = (text) => String(text).replace(UNSEEN, (one) => `\\u${one.codePointAt(0).toString(16).padStart(4, "0")}`);

/** Return foreign text in an element that its writing direction cannot leave. */
export const isolated = (text) => element("bdi", { text: visible(text) });

/** Return foreign text for an attribute, isolated by characters as `isolated` does by an element. */
export const quoted = (text) => `\u2068${visible(text)}\u2069`;

export const number = (value) => value.toLocaleString("en");

export const percent = (value) => (value === null || value === undefined ? "" : `${(100 * value).toFixed(value < 0.995 ? 1 : 0)}%`);

export const faces = (count) => `${number(count)} face${count === 1 ? "" : "s"}`;

const WORDS = { uncertain: "unsure", not_a_face: "not a face", "": "no label" };

/** Return how the page says a label. */
export const said = (label) => WORDS[label ?? ""] ?? label;

/** Return what the page calls a face: its label; of a photo without one, its status. */
export const named = ({ label, status }) => (label ? said(label) : (status ?? "no label").replaceAll("_", " "));

/** Return the model's label of a face that a person gave another one; null of any other face. */
export const formerly = ({ label, before }) => (before && before !== label ? before : null);

/** Set a text only where it changed, so that a live region speaks once. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
