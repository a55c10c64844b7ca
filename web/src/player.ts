import { PictureCache } from "./pictures.js";
import type { Session } from "./session.js";

export const VIEWS = ["boxes", "veiled", "input"] as const;
export type View = (typeof VIEWS)[number];
export const SPEEDS = [0.25, 0.5, 1, 2];

const PLAYING_WIDTH = 960;
const AHEAD = 24;
const REQUESTS = 4; // a browser opens six connections to a host; events hold one
const LOOKED_MS = 2000;

/** Which frame is shown and how; plays, reads ahead, and reports what has been looked at. */
export class Player {
  readonly pictures: PictureCache;
  frame = 0;
  view: View = "boxes";
  playing = false;
  speed = 1;
  /** The width in pixels that the picture on screen can make use of. */
  usefulWidth = PLAYING_WIDTH;
  private shown = new Set<number>();
  private onScreen = -1;
  private lookedTimer = 0;
  private animation = 0;
  private lastStep = 0;

  constructor(private readonly session: Session) {
    this.pictures = new PictureCache(session.api, 120);
  }

  end(): void {
    this.pause();
    void this.reportLooked();
  }

  show(frame: number): void {
    const last = this.session.frameCount - 1;
    this.frame = Math.min(Math.max(Math.round(frame), 0), last);
    this.session.selection.find();
    this.session.topics.emit("frame");
    this.readAhead(4);
  }

  step(by: number): void {
    this.pause();
    this.show(this.frame + by);
  }

  setView(view: View): void {
    this.view = view;
    this.session.topics.emit("frame");
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.session.topics.emit("frame");
  }

  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  play(): void {
    if (this.frame >= this.session.frameCount - 1) this.frame = 0;
    this.playing = true;
    this.lastStep = performance.now();
    this.animation = requestAnimationFrame(this.advance);
    this.session.topics.emit("frame");
  }

  pause(): void {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.animation);
    this.session.topics.emit("frame");
  }

  /** The address of a frame as it is shown now. */
  url(frame: number, width = PLAYING_WIDTH): string {
    const { video, revision } = this.session.state;
    const isVeiled = this.view === "veiled";
    return this.session.api.url(`frames/${frame}.jpg`, {
      width: Math.min(width, video.width),
      view: isVeiled ? "veiled" : "input",
      revision: isVeiled ? revision : undefined,
    });
  }

  /** A frame at rest is shown as sharp as the screen can. */
  get restingWidth(): number {
    return this.playing || this.usefulWidth <= PLAYING_WIDTH ? PLAYING_WIDTH : 1920;
  }

  /** Called when the picture of a frame is on the screen. */
  markShown(frame: number): void {
    this.onScreen = frame;
    this.shown.add(frame);
    this.lookedTimer ||= setTimeout(() => {
      void this.reportLooked();
    }, LOOKED_MS);
  }

  /** Tells the server which frames have been on the screen. */
  async reportLooked(): Promise<void> {
    clearTimeout(this.lookedTimer);
    this.lookedTimer = 0;
    const frames = [...this.shown].sort((a, b) => a - b);
    this.shown.clear();
    if (frames.length === 0) return;
    try {
      for (const range of rangesOf(frames)) await this.session.api.post("looked", range);
      this.session.topics.emit("timeline");
    } catch {
      for (const frame of frames) this.shown.add(frame); // with the next report
    }
  }

  /** Every frame is shown, so that all of them have been looked at; a slow server slows playing. */
  private readonly advance = (now: number) => {
    if (!this.playing) return;
    const interval = 1000 / (this.session.state.video.rate * this.speed);
    if (now - this.lastStep >= interval - 2 && this.onScreen === this.frame) {
      const next = this.frame + 1;
      if (next >= this.session.frameCount) {
        this.pause();
        return;
      }
      if (this.pictures.peek(this.url(next))) {
        this.lastStep = Math.max(this.lastStep + interval, now - interval);
        this.frame = next;
        this.session.selection.find();
        this.session.topics.emit("frame");
      }
    }
    this.readAhead(AHEAD);
    this.animation = requestAnimationFrame(this.advance);
  };

  private readAhead(count: number): void {
    const end = Math.min(this.frame + count, this.session.frameCount - 1);
    for (let frame = this.frame + 1; frame <= end; frame++) {
      if (this.pictures.inFlight >= REQUESTS) return;
      const url = this.url(frame);
      if (!this.pictures.has(url)) {
        this.pictures.load(url).catch(() => undefined); // asked for again when it is shown
      }
    }
  }
}

/** The runs of consecutive numbers in a sorted list. */
function rangesOf(frames: number[]): { first: number; last: number }[] {
  const ranges: { first: number; last: number }[] = [];
  for (const frame of frames) {
    const range = ranges.at(-1);
    if (range && frame === range.last + 1) range.last = frame;
    else ranges.push({ first: frame, last: frame });
  }
  return ranges;
}
