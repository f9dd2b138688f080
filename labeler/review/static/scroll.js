/** Scroll the grid by whole rows: wheel, finger, slider and number. No element is taller than the window, so every row is reachable. */

import { byId, number } from "./dom.js";
import { moveTo, scrollTo } from "./marks.js";
import { lastTop, state } from "./state.js";

const LINE_PX = 32;
const STILL_PX = 8; // A finger that moved less has tapped.
const LONG_PRESS_MS = 500;
const SLOWEST = 0.05; // pixels a millisecond, below which a flick has ended
const FRICTION = 0.95;

const grid = byId("grid");
const slider = byId("slider");
const field = byId("position");

let rest = 0; // pixels scrolled that do not make a row yet

function by(pixels) {
  rest += pixels;
  const rows = Math.trunc(rest / state.rowHeight);
  rest -= rows * state.rowHeight;
  if (rows) scrollTo(state.top + rows);
}

/** Connect everything that scrolls; `openFace(target)` is called for a long press. */
export function connect(openFace) {
  grid.addEventListener("wheel", onWheel, { passive: false });
  slider.addEventListener("input", () => scrollTo(Number(slider.value)));
  field.addEventListener("change", jump);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    jump();
    grid.focus();
  });
  connectFinger(openFace);
}

function onWheel(event) {
  if (event.ctrlKey) return; // The browser zooms.
  event.preventDefault();
  by(event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1));
}

function jump() {
  const position = Number(field.value) - 1;
  if (!Number.isInteger(position)) return;
  scrollTo(Math.floor(position / state.columns));
  moveTo(position);
}

export function draw() {
  slider.max = lastTop();
  slider.value = state.top;
  slider.hidden = state.mode !== "grid" || lastTop() === 0;
  slider.setAttribute("aria-valuetext", `face ${number(state.top * state.columns + 1)} of ${number(state.view.count)}`);
  field.max = Math.max(1, state.view.count);
  if (document.activeElement !== field) field.value = state.view.count ? state.cursor + 1 : "";
  byId("count").textContent = `of ${number(state.view.count)}`;
}

/** Let a finger drag and flick the rows; one that rests on a face opens it. */
function connectFinger(openFace) {
  let finger = null;
  grid.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") return;
    const press = setTimeout(() => {
      if (finger) Object.assign(finger, { done: true });
      openFace(event.target);
    }, LONG_PRESS_MS);
    finger = { y: event.clientY, time: event.timeStamp, moved: 0, speed: 0, press };
  });
  grid.addEventListener("pointermove", (event) => {
    if (!finger || finger.done || event.pointerType === "mouse") return;
    const pixels = finger.y - event.clientY;
    finger.moved += Math.abs(pixels);
    finger.speed = pixels / Math.max(1, event.timeStamp - finger.time);
    Object.assign(finger, { y: event.clientY, time: event.timeStamp });
    if (finger.moved < STILL_PX) return;
    clearTimeout(finger.press);
    by(pixels);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    grid.addEventListener(name, () => {
      if (finger) clearTimeout(finger.press);
      if (finger && !finger.done && finger.moved >= STILL_PX) glide(finger.speed);
      finger = null;
    });
  }
  grid.addEventListener("contextmenu", (event) => event.pointerType !== "mouse" && event.preventDefault());
}

/** Go on after a flick, ever slower; not where the person asked for less motion. */
function glide(speed, before = performance.now()) {
  if (Math.abs(speed) < SLOWEST || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  requestAnimationFrame((now) => {
    by(speed * (now - before));
    glide(speed * FRICTION, now);
  });
}
