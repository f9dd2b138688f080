/** The pictures of faces: sprites of 96, fetched for what is on the screen, then for the screen that follows. */

import { picture } from "./api.js";
import { between, face } from "./faces.js";
import { loader } from "./loader.js";
import { state } from "./state.js";

const TILES = 96;
const COLUMNS = 16;
const SIDE = devicePixelRatio > 1 ? 144 : 96; // pixels of a tile: it is shown at 60 to 100
const KEPT = SIDE > 96 ? 6 : 8; // of 8 or 3.5 MB each, once decoded

const sprites = loader({
  limit: 2,
  keep: KEPT,
  fetch: async (key, signal) => {
    const [, first, last] = key.split("/").map(Number);
    const rows = between(first, last).map(([, one]) => one.row);
    const { blob, missing } = await picture(`/api/sprite?rows=${rows.join()}&side=${SIDE}`, { signal });
    return { key, missing, bitmap: await createImageBitmap(blob) }; // Decoded off the main thread, and freed by `close`.
  },
  drop: (sprite) => sprite.bitmap.close(),
});

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

/** Return why a face has no picture; undefined where it has one, or it has not arrived. */
export const missing = (position, face) => tile(position)?.sprite.missing[face.row];

/** Draw a tile at a place of a canvas: [x, y, width, height] in its pixels. */
export function paint(context, { sprite, column, line }, place) {
  context.drawImage(sprite.bitmap, column * SIDE, line * SIDE, SIDE, SIDE, ...place);
}

export const clear = () => sprites.clear();
