import type { LiveApi } from "./live-api.js";

const KEPT_SECONDS = 10;
const LARGEST_LAG = 1.5;
const WANTED_LAG = 0.25;
const RETRY_MS = 1000;

/** Plays the stream in a video element as its pieces come, near its newest picture. */
export class Player {
  private readonly ending = new AbortController();
  private isClosed = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly api: LiveApi,
    private readonly mimeType: string,
  ) {
    void this.play();
  }

  close(): void {
    this.isClosed = true;
    this.ending.abort();
    this.video.removeAttribute("src");
  }

  /** Connects again whenever the stream ends: a viewer who falls behind is disconnected. */
  private async play(): Promise<void> {
    while (!this.isClosed) {
      await this.playOnce().catch(() => undefined); // lost, or closed
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private async playOnce(): Promise<void> {
    const answer = await this.api.stream(this.ending.signal);
    if (!answer.ok || answer.body === null) return;
    const source = new MediaSource();
    const address = URL.createObjectURL(source);
    this.video.src = address;
    await happens(source, "sourceopen");
    URL.revokeObjectURL(address);
    const buffer = source.addSourceBuffer(this.mimeType);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer.appendBuffer(value);
      await happens(buffer, "updateend");
      this.stayNear(buffer);
      if (buffer.updating) await happens(buffer, "updateend");
    }
  }

  /** Catches up when behind, and forgets what was shown. */
  private stayNear(buffer: SourceBuffer): void {
    const ranges = buffer.buffered;
    if (ranges.length === 0) return;
    const start = ranges.start(0);
    const end = ranges.end(ranges.length - 1);
    const lag = end - this.video.currentTime;
    if (lag > LARGEST_LAG || lag < 0) this.video.currentTime = Math.max(start, end - WANTED_LAG);
    this.video.playbackRate = lag > 2 * WANTED_LAG ? 1.1 : 1;
    if (this.video.paused) void this.video.play().catch(() => undefined);
    if (end - start > 2 * KEPT_SECONDS) buffer.remove(start, end - KEPT_SECONDS);
  }
}

function happens(target: EventTarget, name: string): Promise<void> {
  return new Promise((resolve) => {
    target.addEventListener(
      name,
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
