/** Show how far the review is, and whether the server is there. */

import { Refused, json } from "./api.js";
import { hourly } from "./actions.js";
import { byId, isolated, number, setText } from "./dom.js";
import { reopen } from "./faces.js";
import { retry } from "./queue.js";
import { changed, state } from "./state.js";

const POLL_MS = 2000;

/** Ask the server how it is, again and again; `restarted` is called where another process answers. */
export function connect(restarted) {
  setInterval(() => void poll(restarted), POLL_MS);
}

/** Ask once. */
export async function poll(restarted) {
  try {
    const { instance, ...status } = await json("/api/status");
    const other = instance !== state.table.instance;
    Object.assign(state.table, status, { instance });
    if (state.connection !== "there") retry();
    state.connection = "there";
    if (other) await restarted();
  } catch (error) {
    state.connection = error instanceof Refused ? "locked" : "away";
  }
  changed();
}

/** Go on with a server that was started anew: it has another view, or another table. */
export async function takeUp(identityOf) {
  const table = await json("/api/table");
  if (identityOf(table) !== state.table.identity) return location.reload();
  Object.assign(state.table, table);
  return reopen();
}

const TEXTS = {
  away: "Reconnecting: the server does not answer. What you do is kept here until it is back.",
  locked: "The server was started anew: open the address that it printed, in this tab. What you did is kept.",
};

export function draw() {
  if (!state.table) return;
  const { faces, reviewed, reviewer, read_only: readOnly } = state.table;
  byId("progress").max = Math.max(1, faces);
  byId("progress").value = reviewed;
  setText(byId("reviewed"), `${number(reviewed)} of ${number(faces)} reviewed`);
  const speed = hourly();
  setText(byId("speed"), speed === null ? "" : `${number(speed)} an hour`);
  if (byId("reviewer").textContent !== reviewer) byId("reviewer").replaceChildren(isolated(reviewer));
  byId("read-only").hidden = !readOnly;
  setText(byId("connection"), TEXTS[state.connection] ?? "");
  byId("connection").hidden = state.connection === "there";
  setText(byId("unsent"), state.waiting > 1 ? `${number(state.waiting)} actions unsent` : "");
  setText(byId("message"), state.message);
  setText(byId("error-text"), state.error);
  byId("error").hidden = !state.error;
}
