/** Talk to the server: every request carries the token, which came in the address and is kept out of it. */

const STORED = "labeler.token";

/** The server did not answer, or could not: try again. */
export class Away extends Error {}

/** The server said no: trying again changes nothing. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Keep the token of the address's fragment for this tab, and take it out of the address and the history. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return false;
  sessionStorage.setItem(STORED, token);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

/** Call `renewed` where this tab gets another token: by its address, or from a tab that was opened after a restart. */
export function shareToken(renewed) {
  const tabs = new BroadcastChannel(STORED);
  tabs.postMessage(sessionStorage.getItem(STORED));
  tabs.addEventListener("message", ({ data }) => {
    sessionStorage.setItem(STORED, data);
    renewed();
  });
  addEventListener("hashchange", () => takeToken() && renewed());
}

/** Return a response of the server; with a body the request is a POST of JSON. */
export async function request(path, { body, signal } = {}) {
  const headers = { "X-Labeler-Token": sessionStorage.getItem(STORED) ?? "" };
  const options = { headers, signal, cache: "no-store" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("the server does not answer");
  }
  if (response.ok) return response;
  const message = await messageOf(response);
  throw response.status >= 500 ? new Away(message) : new Refused(response.status, message);
}

/** Return what the server answered in JSON. */
export async function json(path, options) {
  return interrupted((await request(path, options)).json());
}

/** Return a picture, and what the answer said is missing. */
export async function picture(path, options) {
  const response = await request(path, options);
  const blob = await interrupted(response.blob());
  return { blob, missing: JSON.parse(response.headers.get("X-Missing") || "{}") };
}

/** Wait for a body; where it breaks off, the server has gone. */
async function interrupted(body) {
  try {
    return await body;
  } catch (error) {
    throw error.name === "AbortError" ? error : new Away("the answer broke off");
  }
}

async function messageOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered ${response.status}`;
  }
}

/** Return a new id of an action, 32 hexadecimal digits. */
export const newId = () => crypto.randomUUID().replaceAll("-", "");
