/** Choose which faces are looked at, and in which order. */

import { Refused } from "./api.js";
import * as cards from "./cards.js";
import { byId, element, isolated, faces as several, number, quoted, said, visible } from "./dom.js";
import * as faces from "./faces.js";
import * as single from "./single.js";
import { changed, complain, identityOf, say, state } from "./state.js";
import * as sprites from "./sprites.js";

const STORED = "labeler.filters";
const MANY = 60; // classes from which only those that faces have are offered
const PAUSE_MS = 120; // between changes that follow each other: of an arrow key held on the labels the first one and the last are asked

const form = byId("filters-form");
let timer = 0; // of a change that was not asked for yet
let touched = 0; // when the form was changed last
let shown = "";
let drawn = ""; // the labels that the form offers
let list = null; // the filters of the list that the cards were opened from

const CARDS = { label: null, status: null, folder: null, min_score: null, max_score: null, reviewer: null, reviewed: false, order: cards.ORDER, seed: 1 };

/** Return what is chosen at first: the most frequent label, the surest first, what nobody has reviewed. */
function initial() {
  const { classes, counts } = state.table;
  const label = classes.reduce((one, other) => ((counts[other] ?? 0) > (counts[one] ?? 0) ? other : one), classes[0]);
  const rest = { status: null, folder: null, min_score: null, max_score: null, reviewer: null };
  return { label, ...rest, reviewed: false, order: "surest", seed: 1 };
}

/** Offer what the table has, take up what this tab chose before, and open that view. */
export async function begin() {
  const { folders, reviewers, statuses } = state.table;
  offer("status", Object.entries(statuses).map(([name, count]) => [name, `${name} (${number(count)})`]));
  offer("folder", folders.map(([name, count]) => [name, `${name || "(top)"} (${number(count)})`]));
  offer("reviewer", reviewers.map((name) => [name, name]));
  if (!state.table.audit) form.querySelector("[value=audit]").remove();
  state.filters = state.table.certify ? CARDS : { ...initial(), ...remembered() };
  show();
  form.addEventListener("input", onInput);
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => void apply(initial()));
  await apply(state.filters);
}

function onInput() {
  const now = performance.now();
  clearTimeout(timer);
  timer = now - touched < PAUSE_MS ? setTimeout(take, PAUSE_MS) : 0;
  if (!timer) void take();
  touched = now;
}

function remembered() {
  const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  if (stored?.table !== identityOf(state.table)) return {};
  const { order, ...others } = stored.filters;
  return isOffered(order) ? stored.filters : others;
}

/** Say whether the server that runs now has an order. */
function isOffered(order) {
  if (order === "alike") return state.table.alike.state === "ready";
  return Boolean(form.elements.order.querySelector(`[value="${CSS.escape(order)}"]`));
}

function offer(name, pairs) {
  const options = pairs.map(([value, text]) => element("option", { value: JSON.stringify(value), text: visible(text) }));
  form.elements[name].replaceChildren(element("option", { value: "null", text: "any" }), ...options);
}

/** Open the view that the form now describes. */
async function take() {
  timer = 0;
  const chosen = (name) => JSON.parse(form.elements[name].value || "null");
  const score = (name) => (form.elements[name].value === "" ? null : Number(form.elements[name].value) / 100);
  const names = ["status", "folder", "reviewed", "reviewer", "label"];
  const filters = Object.fromEntries(names.map((name) => [name, chosen(name)]));
  const seed = form.elements.order.value === "random" ? Math.floor(Math.random() * 1e9) : 1;
  const range = { min_score: score("min_score"), max_score: score("max_score") };
  await apply({ ...filters, ...range, order: form.elements.order.value, seed });
}

/** Look at the label that follows in the list and has such faces left; after the last one, at the first. */
export async function nextLabel() {
  const labels = [...form.elements.label].map((radio) => JSON.parse(radio.value)).filter((label) => state.table.counts[label]);
  const at = labels.indexOf(state.filters.label);
  for (const label of [...labels.slice(at + 1), ...labels.slice(0, at + 1)]) {
    const opened = await apply({ ...state.filters, label });
    if (!opened || state.view.count) return;
  }
}

/** Open the view of some filters; return whether that could be done. */
async function apply(filters) {
  try {
    if (!(await faces.open(filters))) return undefined;
  } catch (error) {
    if (error instanceof Refused) complain(error.message);
    else say("the server is away: the faces stay as they were");
    show();
    return false;
  }
  sprites.clear();
  state.marks.clear();
  Object.assign(state, { filters, top: 0, cursor: 0, anchor: 0, mode: "grid", face: null });
  if (cards.isSample()) return beginCards();
  sessionStorage.setItem(STORED, JSON.stringify({ table: identityOf(state.table), filters }));
  show();
  const { label } = filters;
  say(`${label === null ? "every label" : quoted(said(label))}: ${several(state.view.count)}`);
  return true;
}

/** Look at blind cards, one after the other. */
export async function openCards() {
  list = state.filters;
  await apply(CARDS);
}

/** Go back from the cards to the list. */
export async function closeCards() {
  if (state.table.certify) return say("only cards are shown; Ctrl-C in the terminal ends the review");
  await apply(list ?? initial());
  return undefined;
}

function beginCards() {
  if (state.view.count) void single.open(0);
  say(state.view.count ? "blind cards: say what each face is" : "every card is answered");
  return true;
}

/** Write the filters that are in force into the form, unless the person is still changing it. */
function show() {
  if (timer) return;
  for (const name of ["status", "folder", "reviewed", "reviewer"]) form.elements[name].value = JSON.stringify(state.filters[name]);
  for (const name of ["min_score", "max_score"]) {
    form.elements[name].value = state.filters[name] === null ? "" : Math.round(100 * state.filters[name]);
  }
  form.elements.order.value = state.filters.order;
  drawLabels();
  for (const radio of form.elements.label) radio.checked = radio.value === JSON.stringify(state.filters.label);
}

/** Draw the labels with how many faces have each; a label that is chosen stays chosen. */
function drawLabels() {
  const { classes, counts } = state.table;
  const others = Object.keys(counts).filter((label) => !classes.includes(label));
  const { label } = state.filters;
  const found = classes.length > MANY ? classes.filter((one) => counts[one] || one === label) : classes;
  const all = [null, ...found, ...others];
  const signature = JSON.stringify(all);
  if (signature !== drawn) byId("labels").replaceChildren(...all.map(labelChoice));
  drawn = signature;
  const spans = byId("labels").querySelectorAll(".count");
  all.forEach((label, index) => (spans[index].textContent = label === null ? "" : number(counts[label] ?? 0)));
}

function labelChoice(label) {
  const radio = element("input", { type: "radio", name: "label", value: JSON.stringify(label) });
  const name = label === null ? element("span", { text: "every label" }) : isolated(said(label));
  return element("label", {}, radio, name, element("span", { classes: ["count"] }));
}

/** Keep the counts and the state of `alike` as the server says. */
export function draw() {
  if (!state.filters) return;
  const { counts, alike } = state.table;
  const signature = JSON.stringify([counts, alike]);
  if (signature === shown) return;
  shown = signature;
  const chosen = JSON.stringify(state.filters.label);
  drawLabels();
  for (const radio of form.elements.label) radio.checked = radio.value === chosen;
  const option = form.elements.order.querySelector("[value=alike]");
  option.disabled = alike?.state !== "ready";
  const running = alike?.state === "running" ? ` (preparing, ${Math.round(100 * alike.done)}%)` : " (not prepared)";
  option.textContent = `alike${option.disabled ? running : ""}`;
}

/** Open the drawer of filters, which a narrow screen shows only when asked. */
export function connectDrawer() {
  const drawer = byId("filters");
  const opener = byId("open-filters");
  const toggle = (there) => {
    drawer.classList.toggle("open", there);
    opener.setAttribute("aria-expanded", there);
    (there ? byId("close-filters") : opener).focus();
    changed();
  };
  opener.addEventListener("click", () => toggle(!drawer.classList.contains("open")));
  byId("close-filters").addEventListener("click", () => toggle(false));
  drawer.addEventListener("keydown", (event) => event.key === "Escape" && drawer.classList.contains("open") && toggle(false));
}
