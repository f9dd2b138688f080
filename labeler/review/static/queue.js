/**
 * Keep every action until the server has it on its disk.
 *
 * An action waits in sessionStorage, under a key of its own (so that writing one costs the same however many wait), and
 * goes out in order. Where no answer came it is sent again with the same id, which the server takes once.
 */

import { Refused, json } from "./api.js";
import { changed, state } from "./state.js";

const PREFIX = "labeler.queue.";
const PAUSES_MS = [250, 500, 1000, 2000];

let entries = [];
let sending = false;
let failures = 0;
let wake = () => {};
let answered = () => {};
let refused = () => {};

/** Take up what an earlier load of this page left; return it. `onAnswer(entry, answer)` and `onRefusal(entry, error)` follow. */
export function resume(onAnswer, onRefusal) {
  answered = onAnswer;
  refused = onRefusal;
  const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
  const stored = keys.map((key) => JSON.parse(sessionStorage.getItem(key)));
  entries = stored.sort((one, other) => one.number - other.number);
  counted();
  void send();
  return entries;
}

/** Forget what waits for another table than the one that the server has. */
export function keepOnly(table) {
  const others = entries.filter((entry) => entry.table !== table);
  for (const entry of others) sessionStorage.removeItem(PREFIX + entry.number);
  entries = entries.filter((entry) => entry.table === table);
  counted();
  return others.length;
}

/** Queue an action; raise QuotaExceededError where the tab can hold no more. */
export function add(table, path, body) {
  const entry = { number: (entries.at(-1)?.number ?? 0) + 1, table, path, body };
  sessionStorage.setItem(PREFIX + entry.number, JSON.stringify(entry));
  entries.push(entry);
  counted();
  void send();
}

/** Try at once, where the next attempt would have waited. */
export function retry() {
  wake();
}

async function send() {
  if (sending) return;
  sending = true;
  while (entries.length) await sendFirst(entries[0]);
  sending = false;
}

async function sendFirst(entry) {
  try {
    const answer = await json(entry.path, { body: entry.body });
    failures = 0;
    state.connection = "there";
    remove(entry);
    answered(entry, answer);
  } catch (error) {
    if (error instanceof Refused && error.status !== 403) {
      remove(entry);
      refused(entry, error);
    } else {
      state.connection = error instanceof Refused ? "locked" : "away";
      changed();
      await pause(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]);
    }
  }
}

function remove(entry) {
  sessionStorage.removeItem(PREFIX + entry.number);
  entries = entries.filter((other) => other !== entry);
  counted();
}

function counted() {
  state.waiting = entries.length;
  changed();
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, milliseconds);
  });
}
