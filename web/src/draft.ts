import type { Box } from "./api.js";
import type { Face } from "./boxes.js";

const SMALLEST = 4; // pixels of the video
const ALL_SIDES = [0, 1, 2, 3];

/** A box being drawn or changed: of a face that is there, or of something new. */
export interface Draft {
  box: Box;
  face: Face | null;
  /** Sent; it is shown until the server's boxes have arrived. */
  isSent: boolean;
}

/** A box of which some sides (indices of the box) are moved. */
export function shifted(box: Box, sides: number[], dx: number, dy: number): Box {
  const by = [dx, dy, dx, dy];
  return box.map(
    (side, index) => side + (sides.includes(index) ? by[index]! : 0),
  ) as unknown as Box;
}

/** A box in the middle of the picture, for those who draw by keys. */
export function middleBox(width: number, height: number): Box {
  const half = Math.min(width, height) / 10;
  return [width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half];
}

/** A box as an arrow key changes it: moved, with Shift resized, with Ctrl by a pixel. */
export function arrowed(box: Box, event: KeyboardEvent, videoWidth: number): Box {
  const step = event.ctrlKey ? 1 : Math.max(1, videoWidth / 160);
  const dx = { ArrowLeft: -step, ArrowRight: step }[event.key] ?? 0;
  const dy = { ArrowUp: -step, ArrowDown: step }[event.key] ?? 0;
  return shifted(box, event.shiftKey ? [2, 3] : ALL_SIDES, dx, dy);
}

export function isTooSmall([left, top, right, bottom]: Box): boolean {
  return right - left < SMALLEST || bottom - top < SMALLEST;
}
