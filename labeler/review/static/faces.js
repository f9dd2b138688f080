/** The faces of the view: fetched by position in chunks, and shown as they will be once the waiting actions have arrived. */

import { json } from "./api.js";
import { loader } from "./loader.js";
import { flush } from "./queue.js";
import { changed, complain, lastTop, state } from "./state.js";

const CHUNK = 384; // four sprites, and below the 400 that one request may ask for
const MARGIN = 100; // faces fetched beyond either end of the screen
const NEAR = 20; // faces of which one is looked for in a view that is made again

const waiting = new Map(); // row -> [{action, label}], the oldest first
let reopening = null;
let turns = 0; // views asked for

const chunks = loader({
  limit: 2,
  keep: 40,
  fetch: async (key, signal) => {
    const [view, chunk] = key.split("/");
    const { items } = await json(`/api/view/${view}?start=${chunk * CHUNK}&count=${CHUNK}`, { signal });
    return items;
  },
  failed: (error) => (error.status === 404 ? reopen() : complain(error.message)),
});

const known = new Map(); // row -> what the server said last, where that is newer than a chunk

/**
 * Ask the server for the faces that the filters choose, in their order; return whether no later call overtook this one.
 *
 * Of the rows `near`, the view says of the first that it has where it is.
 */
export async function open(filters, near = []) {
  const turn = ++turns;
  const view = await json("/api/view", { body: near.length ? { ...filters, near } : filters });
  if (turn !== turns) return false;
  chunks.clear();
  known.clear();
  state.view = { id: view.view, count: view.count, found: view.found };
  changed();
  return true;
}

/** Ask for the view again: a server that was started anew knows none. */
export function reopen() {
  reopening ??= openAgain().finally(() => (reopening = null));
  return reopening.catch(() => {}); // An absent server is reported by the connection, and the loader tries again.
}

/** Stay with the face that was next: in a view of faces that nobody reviewed, those before it have gone since. */
async function openAgain() {
  await flush(); // A face whose label is under way would be open in the new view, and come a second time.
  const { count } = state.view;
  const near = new Map(between(place(), place() + NEAR).map(([position, { row }]) => [row, position]));
  if (!(await open(state.filters, [...near.keys()]))) return;
  const { count: left, found } = state.view;
  const before = near.get(found?.row);
  if (left === count && found?.position === before) return;
  state.marks.clear();
  if (found) goTo(found.position + Math.max(0, place() - before)); // Meanwhile some more may have been answered.
  else goTo(place() - (state.filters.reviewed === false ? Math.max(0, count - left) : 0));
  state.top = Math.min(lastTop(), Math.floor(state.cursor / state.columns));
}

/** Return the position of the view that is shown, or that follows the card which is. */
const place = () => (state.between ? state.following : state.cursor);

function goTo(position) {
  state.following = Math.max(0, position);
  state.cursor = Math.max(0, Math.min(state.view.count - 1, state.between ? position - 1 : position));
}

const key = (chunk) => `${state.view.id}/${chunk}`;

/** Ask for the faces from one position up to another, and a few on either side. */
export function want(first, last) {
  const keys = [];
  const end = Math.min(state.view.count, last + MARGIN);
  for (let chunk = Math.floor(first / CHUNK); chunk * CHUNK < end; chunk++) keys.push(key(chunk));
  const before = Math.floor(Math.max(0, first - MARGIN) / CHUNK);
  if (before < Math.floor(first / CHUNK)) keys.push(key(before));
  chunks.want(state.view.id ? keys : []);
}

/** Return the face at a position, null where it has not arrived. */
export function face(position) {
  const item = chunks.get(key(Math.floor(position / CHUNK)))?.[position % CHUNK];
  return item ? current(item) : null;
}

/** Return the position of a row that has arrived, near a position; null where there is none. */
export function positionOf(row, near) {
  const found = between(Math.max(0, near - CHUNK), near + CHUNK).find(([, one]) => one.row === row);
  return found ? found[0] : null;
}

/** Return the faces from one position up to another that have arrived, as [position, face]. */
export function between(first, last) {
  const found = [];
  for (let position = first; position < last; position++) {
    const one = face(position);
    if (one) found.push([position, one]);
  }
  return found;
}

/** Return a face as it is after the answers that came and the actions that wait. */
export function current(item) {
  const said = known.get(item.row);
  const last = waiting.get(item.row)?.at(-1);
  if (!said && !last) return item;
  const merged = { ...item, ...said };
  if (last) {
    const label = item.card ? {} : { label: last.label, before: merged.before ?? merged.label }; // A card never shows one.
    Object.assign(merged, { ...label, reviewed: true });
  }
  return merged;
}

/** Show the faces of an action as it leaves them, before the server has it. */
export function expect(action, events) {
  for (const { row, new: label } of events) {
    if (!waiting.has(row)) waiting.set(row, []);
    waiting.get(row).push({ action, label });
  }
  changed();
}

/** Take the server's word for faces: an action has arrived. */
export function settle(action, faces) {
  for (const face of faces) known.set(face.row, face);
  forget(action);
}

/** Show the faces of an action as they were: it was refused. */
export function forget(action) {
  for (const [row, changes] of waiting) {
    const left = changes.filter((change) => change.action !== action);
    if (left.length) waiting.set(row, left);
    else waiting.delete(row);
  }
  changed();
}
