/** Fetch what is wanted now: a few requests at a time, those for what was scrolled past aborted, the latest kept. */

import { Refused } from "./api.js";
import { changed } from "./state.js";

const RETRY_MS = 1000;

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
    for (const [key, controller] of running) {
      if (!keys.includes(key)) {
        running.delete(key);
        controller.abort();
      }
    }
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
      const value = await fetch(key, controller.signal);
      if (running.get(key) !== controller) drop(value);
      else values.set(key, value);
      trim();
      changed();
    } catch (error) {
      if (error.name !== "AbortError") await failure(key, controller, error);
    }
    if (running.get(key) === controller) running.delete(key);
    pump();
  }

  /** Hold the key back for a moment, so that a server that is away is not asked without pause. */
  async function failure(key, controller, error) {
    if (error instanceof Refused) failed(error);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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
