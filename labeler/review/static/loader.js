/** Fetch what is wanted now: a few requests at a time, those for what was scrolled past aborted, the latest kept. */

import { Refused } from "./api.js";
import { changed } from "./state.js";

const RETRY_MS = 1000; // after a failure its place stays taken, so that a server which is away is not asked without pause

/** Return a loader. `fetch(key, signal)` gets a value, `limit` requests run at once, `keep` values stay; `drop` frees one. */
export function loader({ limit, keep, fetch, drop = () => {}, failed = () => {} }) {
  const values = new Map();
  const running = new Map();
  let wanted = [];

  /** Return a value that is there. */
  function get(key) {
    const value = values.get(key);
    if (value !== undefined) {
      values.delete(key); // The order of a Map is that of its insertions: the first is the one unused for longest.
      values.set(key, value);
    }
    return value;
  }

  /** Ask for these, the first first, and for nothing else. */
  function want(keys) {
    wanted = keys;
    for (const [key, controller] of running) if (!keys.includes(key)) controller.abort();
    pump();
  }

  function pump() {
    for (const key of wanted) {
      if (running.size >= limit) return;
      if (!values.has(key) && !running.has(key)) void start(key);
    }
  }

  async function start(key) {
    const controller = new AbortController();
    running.set(key, controller);
    try {
      values.set(key, await fetch(key, controller.signal));
      trim();
      changed();
    } catch (error) {
      if (error instanceof Refused) failed(error);
      if (error.name !== "AbortError") await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    running.delete(key);
    pump();
  }

  function trim() {
    for (const [key, value] of values) {
      if (values.size <= keep) return;
      if (wanted.includes(key)) continue;
      values.delete(key);
      drop(value);
    }
  }

  function clear() {
    want([]);
    for (const value of values.values()) drop(value);
    values.clear();
  }

  return { get, want, clear };
}
