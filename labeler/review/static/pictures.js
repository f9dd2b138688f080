/** The pictures on the grid: one canvas below its tiles, since a canvas in each would be a hundred layers to put together. */

import { element } from "./dom.js";
import { paint } from "./sprites.js";

const INSET_PX = 7; // of a marked face: the frame of its tile is as wide

export const canvas = element("canvas", { id: "pictures", "aria-hidden": "true" });
const context = canvas.getContext("2d");
let places = []; // of the tiles: [x, y, width, height] in pixels of the canvas
let scale = 1;

/** Take the place and the size of the grid and of its tiles; whatever was drawn is gone. */
export function fit(grid, tiles) {
  scale = devicePixelRatio;
  const { left, top, width, height } = grid.getBoundingClientRect();
  const pixels = (length) => Math.round(length * scale);
  Object.assign(canvas, { width: pixels(width), height: pixels(height) });
  Object.assign(canvas.style, { width: `${canvas.width / scale}px`, height: `${canvas.height / scale}px` }); // Its pixels are the screen's.
  places = tiles.map((tile) => {
    const box = tile.getBoundingClientRect();
    const [x, y] = [pixels(box.left - left), pixels(box.top - top)];
    return [x, y, pixels(box.right - left) - x, pixels(box.bottom - top) - y];
  });
}

/** Draw the picture of a tile, or nothing. */
export function draw(index, picture, marked) {
  const [x, y, width, height] = places[index];
  context.clearRect(x, y, width, height);
  if (!picture) return;
  const inset = marked ? Math.round(INSET_PX * scale) : 0;
  paint(context, picture, [x + inset, y + inset, width - 2 * inset, height - 2 * inset]);
}
