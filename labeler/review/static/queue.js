/**
 * Keep every action until the server has it on its disk.
 *
 * An action waits in sessionStorage, under a key of its own (so that writing one costs the same however many wait), and
 * goes out in order. Where no answer came it is sent again with the same id, which the server takes once.
 */

import { Refused, json } from "./api.js";
import { changed, connected, state } from "./state.js";

const PREFIX = "labeler.queue.";

let entries = [];
let sending = null; // the promise that what waits is sent
let answered = () => {};
let refused = () => {};

/**
 * Take up what an earlier load of this page left for a table; return it, and how many actions were for another table.
 *
 * `onAnswer(entry, answer)` or `onRefusal(entry, error)` follows for each.
 */
export function resume(table, onAnswer, onRefusal) {
  answered = onAnswer;
  refused = onRefusal;
  const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
  const stored = keys.map((key) => JSON.parse(sessionStorage.getItem(key)));
  entries = stored.sort((one, other) => one.number - other.number);
  const others = entries.filter((entry) => entry.table !== table);
  others.forEach(remove);
  void flush();
  return { entries, dropped: others.length };
}

/** Queue an action; raise QuotaExceededError where the tab can hold no more. */
export function add(table, path, body) {
  const entry = { number: (entries.at(-1)?.number ?? 0) + 1, table, path, body };
  sessionStorage.setItem(PREFIX + entry.number, JSON.stringify(entry));
  entries.push(entry);
  counted();
  void flush();
}

/**
 * Send what waits, until all has arrived or the server is away; then the one who finds it again calls this once more,
 * with `found` where nobody else is to know yet.
 */
export function flush(found = false) {
  sending ??= sendAll(found).finally(() => (sending = null));
  return sending;
}

async function sendAll(found) {
  while (entries.length && (found || state.connection === "there") && (await sendFirst(entries[0])));
}

/** Wait until nothing is being sent: what a person did goes before what he may look at next. */
export const idle = () => sending;

/** Send an action; return whether the server answered, be it that it refuses it. */
async function sendFirst(entry) {
  let answer;
  try {
    answer = await json(entry.path, { body: entry.body });
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 403) {
      connected(error);
      return false;
    }
    remove(entry);
    await refused(entry, error);
    return true;
  }
  remove(entry);
  await answered(entry, answer);
  return true;
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
