/** The pictures of faces: sprites of 96, fetched for what is on the screen, then for the screen that follows. */

import { picture } from "./api.js";
import { between, face } from "./faces.js";
import { loader } from "./loader.js";
import { state } from "./state.js";

const TILES = 96;
const COLUMNS = 16;
const SIDE = devicePixelRatio > 1 ? 144 : 96; // pixels of a tile: it is shown at 60 to 100

const sprites = loader({
  limit: 2,
  keep: 16,
  fetch: async (key, signal) => {
    const [, first, last] = key.split("/").map(Number);
    const rows = between(first, last).map(([, one]) => one.row);
    const sprite = await picture(`/api/sprite?rows=${rows.join()}&side=${SIDE}`, { signal });
    await decoded(sprite.url);
    const columns = Math.min(COLUMNS, rows.length);
    return { url: sprite.url, missing: sprite.missing, columns, lines: Math.ceil(rows.length / COLUMNS) };
  },
  drop: (sprite) => URL.revokeObjectURL(sprite.url),
});

/** Decode a picture off the main thread, so that the tiles which show it do not wait for it. */
async function decoded(url) {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {}); // What cannot be decoded is drawn empty.
}

function keyAt(position) {
  const first = Math.floor(position / TILES) * TILES;
  return `${state.view.id}/${first}/${Math.min(first + TILES, state.view.count)}`;
}

/** Ask for the sprites of the screen and of the one after it, where their faces are known. */
export function want(first, last) {
  const keys = [];
  for (let at = first - (first % TILES); at < Math.min(state.view.count, 2 * last - first); at += TILES) {
    const end = Math.min(at + TILES, state.view.count);
    if (face(at) && face(end - 1)) keys.push(keyAt(at));
  }
  sprites.want(keys);
}

/** Return where the picture of a position is: its sprite, and column and line in it; null where it has not arrived. */
export function tile(position) {
  const sprite = sprites.get(keyAt(position));
  const index = position % TILES;
  return sprite ? { sprite, column: index % COLUMNS, line: Math.floor(index / COLUMNS) } : null;
}

/** Draw a tile as the background of an element. */
export function paint(target, { sprite, column, line }) {
  const part = (index, count) => (count > 1 ? (100 * index) / (count - 1) : 0);
  target.style.setProperty("background-image", `url("${sprite.url}")`);
  target.style.setProperty("background-size", `${100 * sprite.columns}% ${100 * sprite.lines}%`);
  target.style.setProperty("background-position", `${part(column, sprite.columns)}% ${part(line, sprite.lines)}%`);
}

export const clear = () => sprites.clear();
