/** Draw the photo of a face with the boxes on it; let a person draw the box of a missed face. */

import { byId, element, isolated, quoted, said } from "./dom.js";
import * as faces from "./faces.js";
import { changed, say, state } from "./state.js";

const STEP = 0.02; // of the photo's shorter side, for an arrow key
const SMALLEST = 0.02;
const LOW = 0.95; // of the photo's height, below which a box has its name inside: there is no room beneath
const CROWD = 12; // boxes, beyond which their names would cover the faces

const layer = byId("boxes");
const drawn = new WeakMap(); // canvas -> the bitmap on it
let shownBoxes = "";

/** Draw the photo; its picture may come later than its boxes. */
export function draw(face, picture, closeup) {
  show(byId("photo"), picture);
  show(byId("closeup"), closeup);
  byId("photo").setAttribute("aria-label", `photo ${quoted(face.file ?? "")}`);
  const [width, height] = face.image ?? [1, 1];
  byId("frame").style.setProperty("--aspect", `${width} / ${height}`);
  byId("frame").style.setProperty("--ratio", width / height);
  byId("frame").classList.toggle("drawing", Boolean(state.drawing));
  drawBoxes(face);
}

function drawBoxes(face) {
  const others = (face.faces ?? []).map((one) => faces.current(one));
  const signature = JSON.stringify([face.row, others, state.drawing, state.blind, face.image]);
  if (signature === shownBoxes) return;
  shownBoxes = signature;
  const boxed = others.filter((one) => one.box?.every(Number.isFinite));
  const boxes = face.image ? boxed.map((one, index) => boxOf(one, index, face)) : [];
  if (state.drawing) boxes.push(placed(element("div", { classes: ["box", "new"] }), state.drawing, face.image));
  layer.classList.toggle("crowd", boxes.length > CROWD);
  layer.replaceChildren(...boxes);
}

function boxOf(one, index, face) {
  const here = one.row === face.row;
  const label = state.blind || one.card ? "" : said(one.label);
  const attributes = { type: "button", "data-row": one.row, "aria-label": `face ${index + 1} of the photo ${quoted(label)}` };
  const low = one.box[1] + one.box[3] > LOW * face.image[1];
  const button = element("button", { ...attributes, classes: ["box", ...(here ? ["here"] : []), ...(low ? ["low"] : [])] });
  if (label) button.append(element("span", { classes: ["name"] }, isolated(label)));
  if (here) button.setAttribute("aria-current", "true");
  return placed(button, one.box, face.image);
}

function placed(target, [x, y, width, height], [across, down]) {
  const sides = { left: x / across, top: y / down, width: width / across, height: height / down };
  for (const [side, part] of Object.entries(sides)) target.style.setProperty(side, `${100 * part}%`);
  return target;
}

/** Show a picture, once it has arrived. */
function show(canvas, bitmap) {
  canvas.hidden = !bitmap;
  if (!bitmap || drawn.get(canvas) === bitmap) return;
  drawn.set(canvas, bitmap);
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

/** Begin to draw a box: it stands in the middle until the mouse or the arrow keys move it. */
export function begin() {
  if (state.face?.card) return say("a missed face is added in the list, not on a card");
  if (!state.face?.image) return say("no box can be drawn: the photo has not arrived, or its size is not known");
  const [width, height] = state.face.image;
  const side = Math.min(width, height) / 4;
  state.drawing = [(width - side) / 2, (height - side) / 2, side, side];
  say("draw a box, or move it by arrow keys and size it with Shift; then a label's key adds the face, Escape leaves");
}

export function cancel() {
  state.drawing = null;
  say("no face was added");
}

/** Move the box by an arrow key, or size it with Shift; return whether the key was one. */
export function arrow(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step || !state.drawing) return false;
  const [width, height] = state.face.image;
  const pixels = STEP * Math.min(width, height);
  const first = event.shiftKey ? 2 : 0;
  state.drawing[first] += step[0] * pixels;
  state.drawing[first + 1] += step[1] * pixels;
  state.drawing = inside(state.drawing);
  changed();
  return true;
}

/** Keep a box on the photo, and large enough to be seen. */
function inside([x, y, width, height]) {
  const [across, down] = state.face.image;
  const least = Math.max(1, SMALLEST * Math.min(across, down));
  const [wide, tall] = [Math.min(across, Math.max(least, width)), Math.min(down, Math.max(least, height))];
  return [Math.max(0, Math.min(across - wide, x)), Math.max(0, Math.min(down - tall, y)), wide, tall];
}

/** Let a pointer draw the box from corner to corner. */
export function connect() {
  const frame = byId("frame");
  let corner = null;
  frame.addEventListener("pointerdown", (event) => {
    if (!state.drawing || event.button !== 0) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    corner = pixelOf(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!corner || !state.drawing) return;
    const other = pixelOf(event);
    const [x, y] = [Math.min(corner[0], other[0]), Math.min(corner[1], other[1])];
    state.drawing = inside([x, y, Math.abs(other[0] - corner[0]), Math.abs(other[1] - corner[1])]);
    changed();
  });
  for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, () => (corner = null));
}

function pixelOf(event) {
  const box = layer.getBoundingClientRect();
  const [width, height] = state.face.image;
  return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
}
