/** Show one face: large, in its photo, with the probabilities and what reviewers said. */

import { Away, json, picture } from "./api.js";
import * as cards from "./cards.js";
import { byId, element, formerly, isolated, named, number, percent, quoted, said, visible } from "./dom.js";
import * as faces from "./faces.js";
import { className, keyOf } from "./keys.js";
import { moveTo } from "./marks.js";
import * as photo from "./photo.js";
import { idle } from "./queue.js";
import { changed, complain, say, state } from "./state.js";

const MOST = 30; // probabilities that are shown
const AHEAD = 2; // faces fetched before they are asked for
const KEPT = 8;
const RETRY_MS = 500;
const PHOTO_SIDE = 1600;
const CLOSEUP_SIDE = 256;

const fetched = new Map(); // row -> {face}, a promise, and what came: {ready}, the face, and {picture, closeup}, bitmaps
let shown = "";
let turns = 0; // how often another face was opened, or this view closed

/** Show the face at a position of the view; until it has arrived, no key may mean the one that is still shown. */
export async function open(position) {
  moveTo(position);
  const turn = ++turns;
  state.arriving = !faces.face(state.cursor);
  const item = await arrival(turn);
  if (turn !== turns) return;
  await openRow(item.row, item);
  await idle();
  for (let ahead = 1; ahead <= AHEAD; ahead++) {
    const following = faces.face(state.cursor + ahead);
    if (following) get(following.row);
  }
  const card = await cards.following();
  if (card) get(card.row);
}

/** Show a face by its row; `item` is what is known before its details arrive. */
export async function openRow(row, item = { row }) {
  turns += 1;
  state.mode = "single";
  state.arriving = false;
  state.between = Boolean(item.card) && !cards.isSample();
  state.drawing = null;
  const details = get(row);
  state.face = faces.current({ ...item, ...details.ready });
  changed();
  try {
    const face = await details.face;
    if (state.face?.row === row) state.face = { ...item, ...face };
  } catch (error) {
    fetched.delete(row);
    if (error.name !== "AbortError" && state.connection === "there") complain(error.message);
  }
  changed();
}

/** Return the face under the cursor once its chunk has come; null when something else was opened meanwhile. */
async function arrival(turn) {
  while (turn === turns) {
    const item = faces.face(state.cursor); // A view that is made again moves the cursor, too.
    if (item) return item;
    faces.want(state.cursor, state.cursor + 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return null;
}

/** Fetch a face and its photo once; the oldest of those kept are dropped. */
function get(row) {
  if (fetched.has(row)) return fetched.get(row);
  const controller = new AbortController();
  const { signal } = controller;
  const entry = { row, face: insisted(() => json(`/api/face/${row}`, { signal })), drop: () => controller.abort() };
  fetched.set(row, entry);
  entry.face.then((face) => (entry.ready = face)).catch(() => fetched.get(row) === entry && fetched.delete(row));
  void load(entry, "picture", `/api/photo/${row}?side=${PHOTO_SIDE}`, signal);
  void load(entry, "closeup", `/api/sprite?rows=${row}&side=${CLOSEUP_SIDE}`, signal);
  for (const old of fetched.keys()) {
    if (fetched.size <= KEPT) break;
    if (old !== row && old !== state.face?.row) drop(old);
  }
  return entry;
}

/** Fetch a picture, and decode it to a bitmap: an element would keep every picture that it ever showed in memory. */
async function load(entry, name, path, signal) {
  try {
    const { blob, missing } = await insisted(() => picture(path, { signal }));
    const bitmap = await createImageBitmap(blob);
    if (signal.aborted) bitmap.close();
    else Object.assign(entry, { [name]: bitmap, missing: missing[entry.row] ?? entry.missing });
  } catch {
    // The face itself says what is missing.
  }
  changed();
}

/** Return what a request brings, once the server answers: a face whose picture never came could not be labelled. */
async function insisted(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function drop(row) {
  const entry = fetched.get(row);
  fetched.delete(row);
  entry?.drop();
  for (const bitmap of [entry?.picture, entry?.closeup]) bitmap?.close();
}

/** Fetch the shown face again: an undo or an added face changed its photo. */
export function reloaded(changedFaces) {
  for (const { row } of changedFaces) drop(row);
  if (state.mode !== "single" || !state.face) return;
  drop(state.face.row);
  shown = "";
  const item = faces.face(state.cursor);
  void openRow(state.face.row, item?.row === state.face.row ? item : { row: state.face.row, card: state.face.card });
}

/** Return why a face has no picture; undefined where it has one, or that is not known yet. */
export const missingOf = (face) => face?.missing ?? fetched.get(face?.row)?.missing;

/** Say whether the picture of a face has arrived. */
export const isSeen = (face) => !missingOf(face) && Boolean(fetched.get(face?.row)?.picture ?? fetched.get(face?.row)?.closeup);

/** Go on to the face that follows, or to a blind card; after the last one, back to the grid. */
export function next() {
  if (cards.isDue() && !state.between) return void openCard();
  if (!state.between) return goOn(state.cursor + 1);
  if (!faces.current(state.face).reviewed) cards.pass();
  return goOn(state.following);
}

function goOn(position) {
  if (position < state.view.count) return void open(position);
  return cards.isSample() ? say("this was the last card") : close("this was the last face");
}

/** Show a blind card between two faces of the list; where there is none, the list goes on. */
async function openCard() {
  const turn = ++turns;
  state.arriving = true;
  const card = await cards.take();
  if (turn !== turns) return;
  state.following = state.cursor + 1;
  if (!card) return void goOn(state.following);
  await openRow(card.row, card);
  say("a blind card: say what it is");
}

/** Go back to a card whose answer was undone. */
export async function back(row) {
  drop(row);
  if (!cards.isSample()) {
    if (!state.between) state.following = state.cursor;
    return openRow(row, { row, card: true });
  }
  let position = faces.positionOf(row, state.cursor);
  if (position === null) {
    await faces.reopen();
    await open(0);
    position = faces.positionOf(row, 0);
  }
  return position === null ? undefined : open(position);
}

export function previous() {
  if (state.between) void open(state.cursor);
  else if (state.cursor > 0) void open(state.cursor - 1);
}

export function close(message = "") {
  turns += 1;
  Object.assign(state, { mode: "grid", face: null, between: false, drawing: null });
  moveTo(state.cursor);
  if (message) say(message);
}

export function draw() {
  const single = state.mode === "single";
  byId("single").hidden = !single;
  if (!single) return void (shown = "");
  const face = faces.current(state.face);
  const entry = fetched.get(face.row);
  photo.draw(face, entry?.picture, entry?.closeup);
  byId("single").setAttribute("aria-busy", !entry?.ready);
  const signature = JSON.stringify([face, missingOf(face), state.blind, state.cursor, Boolean(entry?.picture)]);
  if (signature === shown) return undefined;
  shown = signature;
  return drawDetails(face);
}

function drawDetails(face) {
  byId("verdict").replaceChildren(...verdict(face));
  byId("file").replaceChildren(isolated(face.file ?? ""));
  const hidden = state.blind || face.card;
  byId("place").textContent = face.card ? "Blind card" : `Face ${number(state.cursor + 1)} of ${number(state.view.count)}`;
  const missing = missingOf(face);
  byId("missing").textContent = missing ? `No picture: ${quoted(missing)}` : visible(face.reason ?? "");
  const sorted = Object.entries(face.probabilities ?? {}).sort(([, one], [, other]) => other - one);
  byId("probabilities").replaceChildren(...(hidden ? [] : sorted.slice(0, MOST).map(probability)));
  byId("history").replaceChildren(...(hidden ? [] : (face.history ?? []).map(vote)));
  byId("single").setAttribute("aria-label", hidden ? (face.card ? "Blind card" : "Face") : `Face: ${quoted(named(face))}`);
}

function verdict(face) {
  if (face.card) return [cards.question(face)];
  if (state.blind) return [face.reviewed ? "reviewed" : ""];
  const parts = [isolated(named(face))];
  if (formerly(face)) parts.push(element("small", {}, " was ", isolated(said(formerly(face)))));
  if (face.reviewed) parts.push(element("small", { text: " reviewed", classes: ["done"] }));
  return parts;
}

function probability([label, value]) {
  const bar = element("span", { classes: ["bar"] });
  bar.style.setProperty("--score", value);
  const key = element("kbd", { text: keyOf(className(label)) });
  return element("li", {}, key, isolated(label), bar, element("span", { text: percent(value), classes: ["value"] }));
}

function vote({ time, reviewer, old, new: label }) {
  const when = element("time", { text: String(time).slice(0, 16).replace("T", " ") });
  const words = old === label ? [" accepted ", isolated(said(label))] : [" ", isolated(said(old)), " → ", isolated(said(label))];
  return element("li", {}, when, " ", isolated(reviewer), ...words);
}
