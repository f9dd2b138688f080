/** Draw the faces on the screen as a grid. Its tiles are as many as fit, and are used again for every position. */

import * as cards from "./cards.js";
import { byId, element, formerly, named, percent, quoted, said, setText, visible } from "./dom.js";
import * as faces from "./faces.js";
import * as pictures from "./pictures.js";
import * as sprites from "./sprites.js";
import { changed, lastTop, screen, state } from "./state.js";

const ON_A_SCREEN = 100;
const MOST_TILES = 400;
const MOST_COLUMNS = 40;
const SMALLEST = 56; // pixels of a tile; on a narrow screen a finger wants more
const SMALLEST_NARROW = 60;
const LARGEST = 144; // a tile's own pixels on a fine screen: larger ones show no more
const GAP = 5;
const ALL_ANSWERED = "Every card is answered.";
const NONE = "No face is left here. Choose another label, or other filters.";

const grid = byId("grid");
let tiles = [];
const empty = element("div", { role: "row" }, element("div", { role: "gridcell", id: "empty", text: NONE }));
let fitted = []; // how many faces, and which place, the tiles were made for
let drawn = []; // what each tile shows, so that one that stays is not touched

/** Return how many faces a screen is to show: a few are shown larger. */
const wanted = () => Math.min(ON_A_SCREEN, state.view.count || ON_A_SCREEN);

/** Choose columns and rows: square tiles, as near `count` as fit, the larger ones where two are as near. */
export function layout(width, height, count) {
  const smallest = width < 600 ? SMALLEST_NARROW : SMALLEST;
  let best = null;
  for (let columns = 2; columns <= MOST_COLUMNS; columns++) {
    const side = Math.floor((width + GAP) / columns) - GAP;
    if (side < smallest && best) break;
    const rows = Math.max(1, Math.floor((height + GAP) / (side + GAP)));
    if (columns * rows > MOST_TILES) break;
    if (side > LARGEST && columns < MOST_COLUMNS) continue;
    const off = Math.abs(columns * rows - count);
    if (!best || off < best.off) best = { columns, rows, side, off };
  }
  return best;
}

/** Fit the grid to its place and what it holds, if they are others now; the first face on the screen stays on it. */
export function fit() {
  const { clientWidth: width, clientHeight: height } = grid;
  const count = wanted();
  const now = [count, width, height, devicePixelRatio];
  if (width === 0 || height === 0 || String(now) === String(fitted)) return; // 0: the single view is shown.
  fitted = now;
  const { columns, rows, side } = layout(width, height, count);
  const [first] = screen();
  Object.assign(state, { columns, rows, rowHeight: side + GAP });
  state.top = Math.min(lastTop(), Math.floor(first / columns));
  grid.style.setProperty("--side", `${side}px`);
  grid.style.setProperty("--columns", columns);
  build();
  changed();
}

function build() {
  tiles = Array.from({ length: state.columns * state.rows }, makeTile);
  drawn = [];
  const lines = Array.from({ length: state.rows }, (_, row) => {
    const cells = tiles.slice(row * state.columns, (row + 1) * state.columns).map((tile) => tile.cell);
    return element("div", { role: "row", classes: ["line"] }, ...cells);
  });
  grid.replaceChildren(pictures.canvas, ...lines, empty);
  pictures.fit(grid, tiles.map((tile) => tile.cell));
}

function makeTile() {
  const tag = element("bdi", { classes: ["tag"] });
  const bar = element("span", { classes: ["bar"] });
  return { tag, bar, cell: element("div", { role: "gridcell", classes: ["tile"] }, bar, tag) };
}

/** Ask for the faces on the screen, and for their pictures. */
export function want() {
  if (state.mode !== "grid" || cards.isSample()) return;
  const [first, last] = screen();
  faces.want(first, last);
  sprites.want(first, last);
}

export function draw() {
  grid.hidden = state.mode !== "grid";
  if (grid.hidden) return;
  if (fitted[0] !== wanted()) fit();
  const [first] = screen();
  tiles.forEach((tile, index) => drawTile(tile, index, first + index));
  grid.setAttribute("aria-rowcount", Math.ceil(state.view.count / state.columns));
  grid.setAttribute("aria-colcount", state.columns);
  grid.setAttribute("aria-activedescendant", state.view.count ? `face-${state.cursor}` : "empty");
  setText(empty.firstElementChild, cards.isSample() ? ALL_ANSWERED : NONE);
  empty.hidden = state.view.id === null || state.view.count > 0;
}

/** Draw one tile, where what it shows has changed. */
function drawTile(tile, index, position) {
  const one = position < state.view.count ? faces.face(position) : null;
  const place = one && sprites.tile(position);
  const marked = state.marks.has(position);
  const cursor = position === state.cursor;
  const facts = [position, one?.row, one?.label, one && formerly(one), one?.reviewed, place?.sprite.key, marked, cursor];
  const signature = [...facts, state.blind, state.filters?.label, state.view.count].join("\n");
  if (drawn[index] === signature) return;
  drawn[index] = signature;
  tile.cell.id = `face-${position}`;
  tile.cell.hidden = position >= state.view.count;
  tile.cell.setAttribute("aria-selected", marked);
  tile.cell.setAttribute("aria-colindex", 1 + (index % state.columns));
  if (index % state.columns === 0) drawLine(tile.cell.parentElement, position);
  const [otherwise, missing] = one ? [formerly(one), sprites.missing(position, one)] : [];
  classes(tile.cell, { marked, cursor, reviewed: one?.reviewed, changed: otherwise, shown: place, missing });
  pictures.draw(index, missing ? null : place, marked);
  drawFace(tile, one);
  tile.cell.setAttribute("aria-label", one ? described(position, one) : "loading");
}

function drawLine(line, position) {
  line.hidden = position >= state.view.count;
  line.setAttribute("aria-rowindex", 1 + Math.floor(position / state.columns));
}

function drawFace({ tag, bar }, one) {
  const told = one && !state.blind && (one.label !== state.filters.label || formerly(one));
  setText(tag, told ? visible(named(one)) : "");
  bar.hidden = state.blind || !Number.isFinite(one?.score);
  bar.style.setProperty("--score", one?.score ?? 0);
}

function classes(target, wanted) {
  for (const [name, there] of Object.entries(wanted)) target.classList.toggle(name, Boolean(there));
}

/** Say a face in words, for a screen reader. */
function described(position, one) {
  const words = [`face ${position + 1}`];
  if (!state.blind) {
    const before = formerly(one);
    if (before) words.push(quoted(said(one.label)));
    words.push(`${before ? "was " : ""}${quoted(before ? said(before) : named(one))} ${percent(one.score)}`.trim());
  }
  if (one.reviewed) words.push("reviewed");
  const missing = sprites.missing(position, one);
  if (missing) words.push(`no picture: ${quoted(missing)}`);
  return words.join(", ");
}

/** Return the position of the tile that holds an element; null outside tiles. */
export function positionOf(target) {
  const cell = target.closest?.(".tile");
  return cell ? Number(cell.id.slice("face-".length)) : null;
}
