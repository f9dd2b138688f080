/** Draw the buttons of labels and commands, with their keys, and the line that says what is under the cursor. */

import { isSample } from "./cards.js";
import { byId, element, formerly, isolated, named, number, percent, said, setText } from "./dom.js";
import * as faces from "./faces.js";
import { COMMANDS, className, keyOf } from "./keys.js";
import { lastTop, screen, state } from "./state.js";

const NAMES = { second: "second best", not_a_face: "not a face", uncertain: "unsure" };

const WRITING = "#bar button:not([data-name=single]), [data-name=undo], [data-name=redo]"; // nothing of that in read only

let shownKeys = "";
let shownFace = "";

/** Make the buttons; `run(name)` is called with the class or command of one. The grid keeps the focus. */
export function connect(run) {
  for (const id of ["bar", "views-bar"]) {
    byId(id).addEventListener("click", (event) => {
      const name = event.target.closest("button")?.dataset.name;
      if (name) run(name);
    });
    byId(id).addEventListener("pointerdown", (event) => event.target.closest("button") && event.preventDefault());
  }
}

export function draw() {
  if (!state.table) return;
  drawKeys();
  drawFace();
  const single = state.mode === "single";
  setText(byId("accept-text"), single ? "Accept" : "Accept screen");
  const card = single && Boolean(state.face?.card);
  byId("boxing").hidden = !single || card;
  byId("accepting").hidden = card;
  byId("passing").hidden = !card;
  byId("commands-bar").querySelector("[data-name=second]").hidden = card;
  byId("back").hidden = !single || Boolean(state.table.certify);
  setText(byId("back-text"), isSample() ? "list" : "grid");
  byId("large").hidden = single || state.view.count === 0;
  for (const one of document.querySelectorAll(WRITING)) one.disabled = Boolean(state.table.read_only);
}

function drawKeys() {
  const signature = JSON.stringify([...state.table.classes, ...COMMANDS].map((one) => keyOf(className(one)) + keyOf(one[0])));
  if (signature === shownKeys) return;
  shownKeys = signature;
  byId("labels-bar").replaceChildren(...state.table.classes.map((label) => button(className(label), isolated(label))));
  byId("commands-bar").replaceChildren(...Object.entries(NAMES).map(([name, text]) => button(name, text)));
  for (const one of document.querySelectorAll("kbd[data-key]")) one.textContent = keyOf(one.dataset.key);
}

function button(name, content) {
  const key = keyOf(name);
  return element("button", { type: "button", "data-name": name }, ...(key ? [element("kbd", { text: key })] : []), content);
}

/** Say what is under the cursor: label, score, the second label, file. */
function drawFace() {
  const one = state.mode === "grid" && state.view.count ? faces.face(state.cursor) : null;
  const [first, last] = screen();
  const signature = JSON.stringify([one, state.cursor, first, last, state.blind, state.marks.size, state.mode]);
  if (signature === shownFace) return;
  shownFace = signature;
  byId("under").replaceChildren(...(one ? words(one) : []));
  byId("marked").textContent = state.marks.size ? `${number(state.marks.size)} marked` : "";
  byId("range").textContent = last ? `${number(first + 1)} to ${number(last)}` : "";
  byId("range").hidden = state.mode === "single" || lastTop() === 0;
}

function words(one) {
  const told = [];
  if (!state.blind) {
    told.push(element("b", {}, isolated(named(one))));
    if (formerly(one)) told.push(", was ", isolated(said(formerly(one))));
    told.push(` ${percent(one.score)}`);
    if (one.second) told.push(", then ", isolated(said(one.second)), ` ${percent(one.second_score)}`);
    told.push(" · ");
  }
  if (one.reviewed) told.push(one.reviewer ? "reviewed by " : "reviewed", isolated(one.reviewer ?? ""), " · ");
  return [...told, isolated(one.file)];
}
