/** What a person does to faces: each action is shown at once, queued, and taken back where the server refuses it. */

import { newId } from "./api.js";
import * as cards from "./cards.js";
import { faces as several, quoted, said } from "./dom.js";
import * as faces from "./faces.js";
import { keyOf } from "./keys.js";
import { moveTo, scrollTo } from "./marks.js";
import * as queue from "./queue.js";
import { back, isSeen, missingOf, next, reloaded } from "./single.js";
import { missing, tile } from "./sprites.js";
import { changed, complain, identityOf, lastTop, say, screen, state } from "./state.js";

const EARLY_HOURS = 20 / 3600; // before that, a speed says little
const IDLE_MS = 120_000; // A longer pause was not spent on the faces: no time is written.

let since = performance.now(); // the end of the previous action
const done = { faces: 0, since: null }; // by this page, for the speed

/** Take up the actions that an earlier load of this page left unsent, and show them as done. */
export function resume() {
  const { entries, dropped } = queue.resume(identityOf(state.table), onAnswer, onRefusal);
  for (const { body } of entries) if (body.events) faces.expect(body.action, body.events);
  if (dropped) complain(`${dropped} unsent actions were for another table, and were dropped`);
}

/** Give the chosen faces a label: the marked ones, else the one under the cursor, else the single face. */
export function relabel(label) {
  if (isEarly()) return undefined;
  if (state.drawing) return addFace(label);
  const chosen = targets();
  if (isCard() && label !== "uncertain" && !isSeen(state.face)) return say(unseen());
  if (chosen.length === 0) return say("there is no face here: draw a box around it, in the large view");
  const what = isCard() ? "to the last card you said" : several(chosen.length); // Under the next one, it is no label of that.
  send(chosen.map((face) => ({ row: face.row, new: label })), `${what}: ${quoted(said(label))}`);
  return goOn();
}

/** Give each chosen face its second most probable label. */
export function second() {
  if (isEarly()) return;
  if (isCard()) return say("a blind card has no second label: say what it is");
  const chosen = targets().filter((face) => face.second);
  const names = new Set(chosen.map((face) => said(face.second)));
  const label = names.size === 1 ? quoted([...names][0]) : "the second most probable label";
  send(chosen.map((face) => ({ row: face.row, new: face.second })), `${several(chosen.length)}: ${label}`);
  goOn();
}

/** Say that the next face has not arrived, where that is so: the key would reach the one before it again. */
function isEarly() {
  const early = state.mode === "single" && state.arriving;
  if (early) say("wait: the next face has not arrived");
  return early;
}

/** Return the chosen faces; a photo without one has a place in the view, too. */
function targets() {
  const positions = state.marks.size ? [...state.marks] : [state.cursor];
  const chosen = state.mode === "single" ? [state.face] : positions.map(faces.face);
  return chosen.filter((face) => face?.label || face?.card);
}

const isCard = () => state.mode === "single" && Boolean(state.face?.card);

const unseen = () => (isUnseenCard() ? "this card has no picture: pass it over, and it counts as unsure" : "wait: the picture has not arrived");

const isUnseenCard = () => isCard() && Boolean(missingOf(state.face));

function goOn() {
  state.marks.clear();
  if (state.mode !== "single") return;
  if (!isCard()) cards.count();
  next();
}

/** Leave a card without an answer. */
export function pass() {
  if (isEarly() || !isCard()) return;
  next();
  say("passed over: while later cards are answered, it counts as unsure");
}

/** Accept the single face, or what can be seen on the screen, unmarked and not yet reviewed; then go on to what follows. */
export function accept() {
  if (state.mode === "single") return acceptOne();
  const [first, last] = screen();
  const shown = faces.between(first, last).filter(([position]) => tile(position));
  if (shown.length < last - first) return say("wait: the pictures of this screen have not arrived");
  const isOpen = ([position, face]) => face.label && !face.reviewed && !state.marks.has(position);
  const open = shown.filter(isOpen);
  const seen = open.filter((one) => !missing(...one));
  if (!send(seen.map(([, face]) => ({ row: face.row, new: face.label })), "")) return undefined;
  return afterScreen(seen.length, open.length - seen.length, last);
}

/** Accept the single face, unless it has no picture, which nobody can have seen; then go on to the next one. */
function acceptOne() {
  if (isEarly()) return;
  if (isUnseenCard()) return pass();
  if (isCard()) return say("there is nothing to accept: say what it is, press a label's key");
  const without = missingOf(state.face);
  if (state.face?.label && !without) {
    send([{ row: state.face.row, new: state.face.label }], "accepted");
    cards.count();
  }
  next();
  if (without && !readOnly()) say("not accepted: it has no picture");
}

function afterScreen(accepted, unseen, last) {
  const left = unseen ? `, ${several(unseen)} without a picture left out` : "";
  const what = (accepted ? `${several(accepted)} accepted` : "nothing was left to accept") + left;
  if (state.marks.size) return say(`${what}; ${several(state.marks.size)} marked: give them a label`);
  if (last >= state.view.count) return say(`${what}; this was the end of the list; ${keyOf("next_label")} goes on to the next label`);
  scrollTo(Math.min(state.top + state.rows, lastTop()));
  moveTo(last);
  return say(what);
}

/** Add the box that was drawn as a face that the detector missed. */
function addFace(label) {
  const box = state.drawing.map((value) => Math.round(value));
  state.drawing = null;
  post("/api/add", { row: state.face.row, box, new: label, ...manner(1) });
  say(`a face was added: ${quoted(said(label))}`);
}

export const undo = () => post("/api/undo", {});
export const redo = () => post("/api/redo", {});

/** Show and queue labels; return whether that could be done. */
function send(events, message) {
  if (events.length === 0) {
    if (message) say("no face is chosen");
    return !readOnly();
  }
  const told = manner(events.length);
  const body = post("/api/events", { events: events.map((event) => ({ ...event, ...told })) });
  if (!body) return false;
  faces.expect(body.action, events);
  done.faces += events.length;
  if (message) say(message);
  return true;
}

/** Return what an event says besides its face and label; `ms` is one face's part of the time since the last action. */
function manner(count) {
  const now = performance.now();
  const spent = now - since;
  done.since ??= since;
  since = now;
  return { view: state.mode, shown: !state.blind, ms: spent < IDLE_MS ? Math.round(spent / count) : null };
}

function post(path, content) {
  if (readOnly()) return null;
  const body = { action: newId(), ...content };
  try {
    state.error = "";
    queue.add(identityOf(state.table), path, body);
  } catch {
    complain("The server is away, and this tab can keep no more actions until it is back.");
    return null;
  }
  return body;
}

function readOnly() {
  if (state.table.read_only) say("this table is shown read only");
  return state.table.read_only;
}

function onAnswer(entry, answer) {
  faces.settle(entry.body.action, answer.changed ?? []);
  if (answer.counts) state.table.counts = answer.counts;
  if (answer.reviewed !== undefined) state.table.reviewed = answer.reviewed;
  const word = { "/api/undo": "undone", "/api/redo": "done again" }[entry.path];
  if (word) say(answer.action ? `${word}: ${several(answer.faces)}` : `nothing to be ${word}`);
  if (entry.path === "/api/undo" && answer.cards?.length) void back(answer.cards[0]);
  else if (entry.path !== "/api/events") reloaded(answer.changed);
  changed();
}

function onRefusal(entry, error) {
  faces.forget(entry.body.action);
  complain(`Not done: ${error.message}`);
}

/** Return the faces that were reviewed on this page in an hour at its speed so far; null while it is too early to say. */
export function hourly() {
  const hours = (performance.now() - (done.since ?? Infinity)) / 3_600_000;
  return done.faces >= 20 && hours > EARLY_HOURS ? Math.round(done.faces / hours) : null;
}
