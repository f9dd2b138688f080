/** Show how far the review is, and whether the server is there. */

import { json } from "./api.js";
import { hourly } from "./actions.js";
import { byId, isolated, number, setText, visible } from "./dom.js";
import { reopen } from "./faces.js";
import { flush } from "./queue.js";
import { connected, identityOf, state } from "./state.js";

const POLL_MS = 2000;
const SEARCH_MS = 500; // while the server is away

/** Ask the server how it is, again and again. */
export async function watch() {
  await poll();
  setTimeout(watch, state.connection === "there" ? POLL_MS : SEARCH_MS);
}

/** Ask once; where the server is back, and still has this table, send it what waits. */
export async function poll() {
  try {
    const { instance, ...status } = await json("/api/status");
    if (instance !== state.table.instance) await takeUp();
    Object.assign(state.table, status);
    connected();
    await flush();
  } catch (error) {
    connected(error);
  }
}

/** Go on with a server that was started anew: it knows no view of this page, and may have another table. */
async function takeUp() {
  const table = await json("/api/table");
  if (identityOf(table) !== identityOf(state.table)) {
    location.reload();
    await new Promise(() => {}); // What waits is for the other table: nothing may be sent meanwhile.
  }
  Object.assign(state.table, table);
  await flush(true); // A face whose label still waits would be open in the new view, and come a second time.
  await reopen();
}

const TEXTS = {
  away: "Reconnecting: what you do is kept in this tab until the server has it",
  locked: "The server refuses this tab, which keeps what you did: open the address that the command printed, in this tab",
};

export function draw() {
  if (!state.table) return;
  const { faces, reviewed, reviewer, read_only: readOnly } = state.table;
  byId("progress").max = Math.max(1, faces);
  byId("progress").value = reviewed;
  setText(byId("reviewed"), `${number(reviewed)} of ${number(faces)} reviewed`);
  const speed = hourly();
  setText(byId("speed"), speed === null ? "" : `${number(speed)} an hour`);
  if (byId("reviewer").textContent !== visible(reviewer)) byId("reviewer").replaceChildren(isolated(reviewer));
  byId("read-only").hidden = !readOnly;
  setText(byId("connection"), state.connection === "there" ? "" : `${TEXTS[state.connection]} (${state.reason}).`);
  byId("connection").hidden = state.connection === "there";
  setText(byId("unsent"), state.waiting > 1 ? `${number(state.waiting)} actions unsent` : "");
  setText(byId("message"), state.message);
  setText(byId("error-text"), state.error);
  byId("error").hidden = !state.error;
}
