import type { Box } from "./api.js";

const MAX_ZOOM = 16;

/** How the picture lies on the screen: fitted, then zoomed and moved. Pixels of both sides. */
export class Viewport {
  zoom = 1;
  private screen: [number, number] = [1, 1];
  private centre: [number, number];

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {
    this.centre = [width / 2, height / 2];
  }

  /** Pixels of the screen per pixel of the video. */
  get scale(): number {
    return this.zoom * Math.min(this.screen[0] / this.width, this.screen[1] / this.height);
  }

  resize(width: number, height: number): void {
    this.screen = [Math.max(1, width), Math.max(1, height)];
    this.hold();
  }

  toScreen(x: number, y: number): [number, number] {
    const { scale, screen, centre } = this;
    return [(x - centre[0]) * scale + screen[0] / 2, (y - centre[1]) * scale + screen[1] / 2];
  }

  toVideo(x: number, y: number): [number, number] {
    const { scale, screen, centre } = this;
    return [(x - screen[0] / 2) / scale + centre[0], (y - screen[1] / 2) / scale + centre[1]];
  }

  boxToScreen(box: Box): Box {
    return [...this.toScreen(box[0], box[1]), ...this.toScreen(box[2], box[3])];
  }

  /** Zooms so that the point of the screen stays where it is. */
  zoomAt(factor: number, x = this.screen[0] / 2, y = this.screen[1] / 2): void {
    const [videoX, videoY] = this.toVideo(x, y);
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), MAX_ZOOM);
    const [movedX, movedY] = this.toVideo(x, y);
    this.centre = [this.centre[0] + videoX - movedX, this.centre[1] + videoY - movedY];
    this.hold();
  }

  move(dx: number, dy: number): void {
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] - dy / this.scale];
    this.hold();
  }

  fit(): void {
    this.zoom = 1;
    this.centre = [this.width / 2, this.height / 2];
  }

  /** The box within the picture, its corners in order. */
  clip(box: Box): Box {
    const x = [box[0], box[2]].map((side) => Math.min(Math.max(side, 0), this.width));
    const y = [box[1], box[3]].map((side) => Math.min(Math.max(side, 0), this.height));
    return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
  }

  /** No more of the ground beside the picture is seen than the fitted picture shows. */
  private hold(): void {
    const sizes = [this.width, this.height] as const;
    this.centre = this.centre.map((value, axis) => {
      const size = sizes[axis]!;
      const half = Math.min(this.screen[axis]! / this.scale, size) / 2;
      return Math.min(Math.max(value, half), size - half);
    }) as [number, number];
  }
}
