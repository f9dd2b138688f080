/** Blind cards: faces shown without their label, all in a row or now and then between the faces of a list. */

import { json } from "./api.js";
import { byId, element, number, setText } from "./dom.js";
import { idle } from "./queue.js";
import { state } from "./state.js";

export const ORDER = "sample"; // of the view that holds them
const EVERY = 9; // faces answered in the large view before a card comes in between
const AHEAD = 5; // of these before it is asked for, so that nobody waits for it
const FIRST_LINE = 20; // cards from which the server says what they show

let answered = 0; // faces of the list since the last card
let passed = 0; // cards between them that this page has passed over
let coming = null; // the promise of the card that is next

/** Say whether the page shows cards only. */
export const isSample = () => state.filters?.order === ORDER;

/** Count a face of the list that was answered in the large view. */
export function count() {
  if (!state.table.cards || isSample()) return;
  answered += 1;
  if (answered === AHEAD) coming = ask();
}

/** Return the card that comes next, once that is known: it can be fetched before its turn. */
export const following = () => coming;

/** Say whether a card comes now. */
export const isDue = () => answered >= EVERY && !isSample();

/** Return the card that comes now; null where none is left, or the server is away. */
export async function take() {
  answered = 0;
  const card = await coming;
  coming = null;
  return card ?? null;
}

/** Note that a card between the faces of a list was left without an answer: another one comes next time. */
export function pass() {
  passed += 1;
}

async function ask() {
  try {
    await idle();
    return (await json(`/api/card?skip=${passed}`)).item;
  } catch {
    return null; // The list goes on.
  }
}

/** Say how far the cards are. */
export function draw() {
  const told = state.table.cards;
  const sample = isSample();
  const certify = Boolean(state.table.certify);
  document.body.classList.toggle("cards", sample);
  byId("open-cards").hidden = !told || sample || certify;
  byId("about-cards").hidden = !told;
  byId("cards-line").hidden = !sample;
  if (!told) return;
  setText(byId("cards-count"), number(told.cards));
  setText(byId("cards-line"), sample ? line(told) : "");
}

function line({ cards, line: told }) {
  if (told) return told;
  const many = `${number(cards)} card${cards === 1 ? "" : "s"} answered`;
  return cards < FIRST_LINE ? `${many}; after ${FIRST_LINE} it is said how many more are needed` : many;
}

/** Return what stands where the label would. */
export const question = ({ reviewed }) => (reviewed ? element("small", { text: "answered", classes: ["done"] }) : "What is it?");
