/** Give every class and command a key, and call what a key means. */

import { state } from "./state.js";

const STORED = "labeler.keys";

/** The commands whose key may be changed, in the order of the dialog: name, key, what it does. */
export const COMMANDS = [
  ["second", "w", "second most probable label"],
  ["not_a_face", "x", "not a face"],
  ["uncertain", "q", "unsure"],
  ["undo", "u", "undo"],
  ["single", "v", "one face large, and back"],
  ["box", "b", "draw a box around a missed face"],
  ["go", "g", "go to a position"],
  ["next_label", ".", "go on to the next label"],
];

const SPARE = "1234567890abcdefghijklmnopqrstuvwxyz";

let chosen = new Map(); // name -> key; a class's name is `class:` and the class

export const className = (label) => `class:${label}`;
export const keyOf = (name) => chosen.get(name) ?? "";

/** Choose the keys: what the person chose goes first, then undo, then what the server proposes for the classes. */
export function assign() {
  const { classes, keys } = state.table;
  const defaults = Object.fromEntries(COMMANDS);
  const names = [...new Set(["undo", ...classes.map(className), ...COMMANDS.map(([name]) => name)])];
  const proposed = (name) => defaults[name] ?? keys?.[name.slice("class:".length)];
  const stored = read();
  const taken = new Map(names.filter((name) => stored[name]).map((name) => [stored[name], name]));
  chosen = new Map([...taken].map(([key, name]) => [name, key]));
  for (const name of names.filter((one) => !chosen.has(one))) {
    const key = [proposed(name), ...SPARE].find((one) => one && !taken.has(one));
    if (!key) continue; // More classes than keys: the rest have their buttons.
    taken.set(key, name);
    chosen.set(name, key);
  }
}

/** Give a name a key; the one that had it gets the name's old key. */
export function remap(name, key) {
  const other = [...chosen].find(([, one]) => one === key)?.[0];
  const old = keyOf(name);
  localStorage.setItem(STORED, JSON.stringify({ ...read(), ...(other && { [other]: old }), [name]: key }));
  assign();
}

export function reset() {
  localStorage.removeItem(STORED);
  assign();
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "{}");
  } catch {
    return {};
  }
}

/** Say whether a key may be given away: one character that has no meaning of its own. */
export const mayBeGiven = (event) => event.key.length === 1 && !" ?".includes(event.key) && !modified(event);

const modified = (event) => event.ctrlKey || event.metaKey || event.altKey;

/** Return the name of the class or the command that a key event means; null for none. */
export function nameOf(event) {
  if (event.ctrlKey || event.metaKey) return withControl(event.key.toLowerCase(), event.shiftKey);
  if (event.altKey) return null;
  if (event.key === "?") return "help";
  if (event.key === "Delete") return "not_a_face";
  const key = event.key.toLowerCase();
  if (event.shiftKey && key === keyOf("undo")) return "redo";
  return [...chosen].find(([, one]) => one === key)?.[0] ?? null;
}

function withControl(key, shift) {
  if (key === "z") return shift ? "redo" : "undo";
  return { y: "redo", a: "all" }[key] ?? null;
}
