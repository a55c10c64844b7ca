import type { Box, Kind } from "./api.js";
import type { Face } from "./boxes.js";
import { PROVENANCE_LOOK } from "./theme.js";

const HANDLE = 9; // pixels

export interface BoxLook {
  isSelected: boolean;
  isHovered: boolean;
  name: string;
}

/** Draws a box with its kind as shape, its provenance as colour and line, its decision as tag. */
export function drawFace(
  context: CanvasRenderingContext2D,
  face: Face,
  screen: Box,
  look: BoxLook,
): void {
  const { colour, dash } = PROVENANCE_LOOK[face.provenance];
  const path = outline(face.kind, screen);
  context.save();
  if (face.veiled) hatch(context, path, screen);
  context.lineJoin = "round";
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.lineWidth = look.isSelected ? 5 : 4;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = look.isSelected ? 3 : 2;
  context.setLineDash(dash);
  context.stroke(path);
  context.setLineDash([]);
  if (face.provenance === "manual") {
    context.lineWidth = 1;
    context.stroke(outline(face.kind, grown(screen, 4)));
  }
  if (look.isSelected || look.isHovered || screen[2] - screen[0] > 36) {
    drawTag(context, screen, `${face.veiled ? "▦" : "✓"} ${look.name}`, !face.veiled);
  }
  context.restore();
}

/** Draws the eight handles by which a box is resized. */
export function drawHandles(context: CanvasRenderingContext2D, screen: Box): void {
  context.fillStyle = "#ffffff";
  context.strokeStyle = "#10233f";
  context.lineWidth = 1.5;
  for (const { x, y } of handlesOf(screen)) {
    context.fillRect(x - HANDLE / 2, y - HANDLE / 2, HANDLE, HANDLE);
    context.strokeRect(x - HANDLE / 2, y - HANDLE / 2, HANDLE, HANDLE);
  }
}

/** A box that is being drawn or changed. */
export function drawDraft(context: CanvasRenderingContext2D, kind: Kind, screen: Box): void {
  const path = outline(kind, screen);
  context.save();
  context.fillStyle = "rgb(127 178 255 / 20%)";
  context.fill(path);
  context.lineWidth = 2;
  context.strokeStyle = "#ffffff";
  context.stroke(path);
  context.restore();
}

export interface Handle {
  x: number;
  y: number;
  /** Which sides of the box the handle moves, as indices of x1, y1, x2, y2. */
  sides: number[];
  /** As in the names of CSS cursors. */
  cursor: "ew" | "ns" | "nesw" | "nwse";
}

/** The handle of a box under a point of the screen. */
export function handleAt(box: Box, x: number, y: number): Handle | undefined {
  return handlesOf(box).find(
    (handle) => Math.max(Math.abs(handle.x - x), Math.abs(handle.y - y)) <= HANDLE,
  );
}

function handlesOf(box: Box): Handle[] {
  const [left, top, right, bottom] = box;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [
    { x: left, y: top, sides: [0, 1], cursor: "nwse" },
    { x, y: top, sides: [1], cursor: "ns" },
    { x: right, y: top, sides: [2, 1], cursor: "nesw" },
    { x: right, y, sides: [2], cursor: "ew" },
    { x: right, y: bottom, sides: [2, 3], cursor: "nwse" },
    { x, y: bottom, sides: [3], cursor: "ns" },
    { x: left, y: bottom, sides: [0, 3], cursor: "nesw" },
    { x: left, y, sides: [0], cursor: "ew" },
  ];
}

/** The shape of a kind: faces are rounded, heads ellipses, plates cut at the corners, … */
function outline(kind: Kind, box: Box): Path2D {
  const [x, y, right, bottom] = box;
  const [width, height] = [right - x, bottom - y];
  const path = new Path2D();
  if (kind === "head") {
    path.ellipse(x + width / 2, y + height / 2, width / 2, height / 2, 0, 0, 2 * Math.PI);
  } else if (kind === "plate") {
    const cut = Math.min(width, height) / 4;
    path.moveTo(x + cut, y);
    for (const [px, py] of [
      [right - cut, y],
      [right, y + cut],
      [right, bottom - cut],
      [right - cut, bottom],
      [x + cut, bottom],
      [x, bottom - cut],
      [x, y + cut],
    ] as const) {
      path.lineTo(px, py);
    }
    path.closePath();
  } else if (kind === "screen") {
    path.rect(x, y, width, height);
    path.rect(x + 4, y + 4, Math.max(0, width - 8), Math.max(0, height - 8));
  } else if (kind === "other") {
    path.moveTo(x + width / 2, y);
    path.lineTo(right, y + height / 2);
    path.lineTo(x + width / 2, bottom);
    path.lineTo(x, y + height / 2);
    path.closePath();
    path.rect(x, y, width, height);
  } else if (kind === "person") {
    path.rect(x, y, width, height);
  } else {
    path.roundRect(x, y, width, height, Math.min(width, height) / 6);
  }
  return path;
}

function hatch(context: CanvasRenderingContext2D, path: Path2D, box: Box): void {
  const [left, top, right, bottom] = box;
  context.save();
  context.clip(path);
  context.strokeStyle = "rgb(255 255 255 / 22%)";
  context.lineWidth = 1;
  context.beginPath();
  for (let x = left - (bottom - top); x < right; x += 9) {
    context.moveTo(x, bottom);
    context.lineTo(x + (bottom - top), top);
  }
  context.stroke();
  context.restore();
}

function drawTag(context: CanvasRenderingContext2D, box: Box, text: string, isKept: boolean): void {
  context.font = "600 11px system-ui, sans-serif";
  const width = context.measureText(text).width + 10;
  const top = box[1] > 22 ? box[1] - 20 : box[3] + 4;
  context.fillStyle = isKept ? "#17402b" : "rgb(20 21 23 / 85%)";
  context.beginPath();
  context.roundRect(box[0], top, width, 16, 3);
  context.fill();
  context.fillStyle = isKept ? "#9ff0c2" : "#e8e9eb";
  context.textBaseline = "middle";
  context.fillText(text, box[0] + 5, top + 8.5);
}

function grown(box: Box, by: number): Box {
  return [box[0] - by, box[1] - by, box[2] + by, box[3] + by];
}
