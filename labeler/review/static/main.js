/** Start the page: connect its parts, and let the keys act while the grid or the single face has the focus. */

import * as actions from "./actions.js";
import { Refused, json, shareToken, takeToken } from "./api.js";
import * as bar from "./bar.js";
import * as cards from "./cards.js";
import { byId, isolated, visible } from "./dom.js";
import * as filters from "./filters.js";
import * as grid from "./grid.js";
import * as help from "./help.js";
import * as keys from "./keys.js";
import * as marks from "./marks.js";
import * as photo from "./photo.js";
import * as progress from "./progress.js";
import * as scroll from "./scroll.js";
import * as single from "./single.js";
import { changed, onDraw, onWant, say, state } from "./state.js";

async function start() {
  takeToken();
  shareToken(() => (state.table ? progress.poll() : location.reload()));
  state.table = await json("/api/table");
  byId("table").replaceChildren(isolated(state.table.table));
  document.title = `${visible(state.table.table)} · labeler review`;
  keys.assign();
  connect();
  actions.resume();
  onWant(grid.want);
  for (const part of [cards, grid, single, scroll, bar, filters, progress]) onDraw(part.draw);
  onDraw(focusView);
  document.body.classList.add("ready");
  await filters.begin();
  grid.fit();
  void progress.watch();
}

function connect() {
  scroll.connect((target) => openAt(grid.positionOf(target)));
  photo.connect();
  help.connect();
  filters.connectDrawer();
  bar.connect(run);
  new ResizeObserver(grid.fit).observe(byId("grid"));
  byId("grid").addEventListener("click", onClick);
  byId("grid").addEventListener("dblclick", (event) => openAt(grid.positionOf(event.target)));
  byId("boxes").addEventListener("click", (event) => {
    const row = event.target.closest("button")?.dataset.row;
    if (row) void single.openRow(Number(row)).then(() => byId("single").focus());
  });
  byId("open-cards").addEventListener("click", () => run("cards"));
  byId("blind").addEventListener("change", (event) => {
    state.blind = event.target.checked;
    changed();
  });
  byId("close-error").addEventListener("click", () => {
    state.error = "";
    changed();
  });
  for (const id of ["grid", "single"]) byId(id).addEventListener("keydown", onKey);
}

function onClick(event) {
  const position = grid.positionOf(event.target);
  if (position === null) return;
  if (event.shiftKey) marks.extend(position);
  else marks.toggle(position);
}

function openAt(position) {
  if (position === null || state.view.count === 0) return;
  void single.open(position);
}

let focused = "";

/** Let the focus go along from the grid to the single face and back; elsewhere it stays. */
function focusView() {
  if (state.mode === focused) return;
  focused = state.mode;
  const here = document.activeElement;
  if (here === document.body || here.closest("#stage, #bar")) byId(focused).focus({ preventScroll: true });
}

/** Do what a class or a command says; buttons and keys both come here. */
function run(name) {
  if (name.startsWith("class:")) actions.relabel(name.slice("class:".length));
  else COMMANDS[name]();
}

const COMMANDS = {
  accept: actions.accept,
  second: actions.second,
  not_a_face: () => actions.relabel("not_a_face"),
  uncertain: () => actions.relabel("uncertain"),
  undo: actions.undo,
  redo: actions.redo,
  pass: actions.pass,
  cards: () => state.table.cards && (cards.isSample() ? filters.closeCards() : filters.openCards()),
  all: () => state.mode === "grid" && marks.markScreen(),
  single: () => (state.mode === "single" ? leave() : openAt(state.cursor)),
  box: () => state.mode === "single" && photo.begin(),
  go: () => !cards.isSample() && byId("position").select(),
  next_label: () => !cards.isSample() && filters.nextLabel(),
  help: help.open,
  leave: () => (state.drawing ? photo.cancel() : state.mode === "single" ? leave() : marks.clearMarks()),
};

const leave = () => void (cards.isSample() ? filters.closeCards() : single.close());

const REPEATED = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown"];

/** Do what a key means; one that is held down moves on, but labels, accepts and undoes once. */
function onKey(event) {
  if (event.target.closest("button, input, select")) return; // A box on the photo is a button of its own.
  const handled = (event.repeat && !REPEATED.includes(event.key)) || fixed(event) || named(event);
  if (handled) event.preventDefault();
}

function named(event) {
  const name = keys.nameOf(event);
  if (name) run(name);
  return Boolean(name);
}

/** Do what a key that cannot be changed means; return whether it was one. */
function fixed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === "Enter") run("accept");
  else if (event.key === "Escape") run("leave");
  else if (state.mode === "single") return photo.arrow(event) || singleKey(event.key);
  else return gridKey(event);
  return true;
}

function singleKey(key) {
  const step = { ArrowLeft: single.previous, ArrowUp: single.previous, ArrowRight: single.next, ArrowDown: single.next }[key];
  step?.();
  return Boolean(step);
}

function gridKey({ key, shiftKey }) {
  if (key === " ") {
    marks.toggle(state.cursor);
    return true;
  }
  const page = state.columns * state.rows;
  const last = state.view.count - 1;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -state.columns, ArrowDown: state.columns };
  const jumps = { PageUp: -page, PageDown: page, Home: -state.cursor, End: last - state.cursor };
  const step = steps[key] ?? jumps[key];
  if (step === undefined || last < 0) return false;
  const target = Math.max(0, Math.min(last, state.cursor + step));
  if (key in jumps) marks.scrollTo(key === "End" ? Infinity : key === "Home" ? 0 : state.top + Math.sign(step) * state.rows);
  if (!shiftKey) state.anchor = target;
  if (shiftKey) marks.extend(target);
  else marks.moveTo(target);
  return true;
}

start().catch((error) => {
  const locked = error instanceof Refused && error.status === 403;
  byId("error-text").textContent = locked
    ? "This address lacks its token: open the one that labeler printed."
    : `The page could not start: ${error.message}`;
  byId("error").hidden = false;
  if (!locked) setTimeout(() => location.reload(), 3000);
});
