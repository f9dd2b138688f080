/** Mark faces, one by one or by a range, and move among them. */

import { between } from "./faces.js";
import { faces } from "./dom.js";
import { missing } from "./sprites.js";
import { changed, lastTop, say, screen, state } from "./state.js";

const MOST = 1000; // Marks at once: more than anyone looked at is more than anyone should relabel with one key.

/** Put the cursor on a position and bring it onto the screen. */
export function moveTo(position) {
  state.cursor = Math.max(0, Math.min(state.view.count - 1, position));
  const row = Math.floor(state.cursor / state.columns);
  if (row < state.top) state.top = row;
  else if (row >= state.top + state.rows) state.top = row - state.rows + 1;
  changed();
}

/** Scroll to a row of the grid; the cursor stays on the screen, in its column. */
export function scrollTo(row) {
  state.top = Math.max(0, Math.min(lastTop(), Math.round(row)));
  const [first, last] = screen();
  if (state.cursor < first || state.cursor >= last) {
    const column = state.cursor % state.columns;
    state.cursor = state.cursor < first ? first + column : last - state.columns + column;
    state.cursor = Math.max(first, Math.min(last - 1, state.cursor));
  }
  changed();
}

/** Mark a face, or take its mark away; the next range begins here. */
export function toggle(position) {
  moveTo(position);
  state.anchor = position;
  if (!state.marks.delete(position)) state.marks.add(position);
  say(state.marks.has(position) ? `marked, ${faces(state.marks.size)} in all` : "mark taken away");
}

/** Mark every face from where the range began to a position. */
export function extend(position) {
  moveTo(position);
  const [first, last] = [state.anchor, state.cursor].sort((one, other) => one - other);
  markAll(first, last + 1);
}

/** Mark what is on the screen and has a picture. */
export function markScreen() {
  markAll(...screen());
}

function markAll(first, last) {
  if (last - first > MOST) return say(`at most ${faces(MOST)} can be marked at once`);
  const [seen, unseen] = [[], []];
  for (const [position, face] of between(first, last)) (missing(position, face) ? unseen : seen).push(position);
  for (const position of seen) state.marks.add(position);
  const left = unseen.length ? `, ${faces(unseen.length)} without a picture left out` : "";
  return say(`${faces(state.marks.size)} marked${left}`);
}

export function clearMarks() {
  state.marks.clear();
  say("no face is marked");
}
