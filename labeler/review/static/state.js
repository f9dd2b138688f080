/** What the page shows, in one place. Whoever changes it calls `changed`; every part then redraws itself once a frame. */

export const state = {
  table: null, // what GET /api/table answered
  filters: null, // what POST /api/view is asked for
  view: { id: null, count: 0 }, // its answer
  mode: "grid", // or "single"
  columns: 1, // of the grid, and the rows of it that are on the screen
  rows: 1,
  rowHeight: 1, // in pixels: to ask the document would lay it out
  top: 0, // first row of the grid on the screen
  cursor: 0, // positions in the view
  anchor: 0, // where a range of marks begins
  marks: new Set(),
  face: null, // what the single view shows: GET /api/face
  arriving: false, // the single view has gone on to a face that is not known yet
  between: false, // the single view shows a blind card that is none of the view
  following: 0, // the position of the view that is shown after that card
  drawing: null, // box of a missed face while it is drawn: [x, y, width, height]
  blind: false, // labels and scores are hidden
  connection: "there", // or "away" (the server does not answer, or cannot write), "locked" (it says no)
  reason: "", // why it is not "there"
  waiting: 0, // actions that the server has not acknowledged
  message: "",
  error: "",
};

const parts = [];
let want = () => {};
let asked = false;

/** Let a part of the page draw itself whenever the state changed. */
export function onDraw(draw) {
  parts.push(draw);
}

/** Let a part of the page ask the server for what it needs whenever the state changed. */
export function onWant(ask) {
  want = ask;
}

/** Ask for what is needed now, at once, and draw every part before the next paint. */
export function changed() {
  if (asked) return;
  asked = true;
  queueMicrotask(want); // Not with the next frame: a jump waits for two answers, and would wait for two frames, too.
  requestAnimationFrame(() => {
    asked = false;
    want();
    for (const draw of parts) draw();
  });
}

/** Tell one table from another: what waits for one must never reach the other. */
export const identityOf = (table) => JSON.stringify([table.table, table.faces, table.files, table.classes]);

/** Say whether the server is there; `error` is what its last answer, or the lack of one, raised. */
export function connected(error = null) {
  state.connection = !error ? "there" : error.status === 403 ? "locked" : "away";
  state.reason = error?.message ?? "";
  changed();
}

/** Say what an action did, on the page and to a screen reader. */
export function say(message) {
  state.message = message;
  changed();
}

/** Say that something failed; it stays on the page until it is closed. */
export function complain(error) {
  state.error = error;
  changed();
}

/** Return the first position on the screen and the one after the last. */
export function screen() {
  const first = state.top * state.columns;
  return [first, Math.min(state.view.count, first + state.rows * state.columns)];
}

/** Return the last value that `top` can take: the end of the view is then at the bottom of the screen. */
export const lastTop = () => Math.max(0, Math.ceil(state.view.count / state.columns) - state.rows);
