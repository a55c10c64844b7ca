/** The JSON API of a live run: its types and a client. */

export type Choice = "keep" | "veil" | null;

/** x1, y1, x2, y2 in pixels of the upright frame. */
export type Box = readonly [number, number, number, number];

/** What the page shows of the run's metrics; all are missing before its first second. */
export type Metrics = Partial<
  Record<
    | "frames_in"
    | "frames_per_second"
    | "delay_seconds"
    | "look_stride"
    | "frames_dropped"
    | "frames_frozen"
    | "frames_blanked"
    | "frames_whole"
    | "blind",
    number
  >
>;

export interface State {
  name: string;
  mime_type: string;
  /** Seconds of the run, on the clock of the stream; null before the first picture. */
  now: number | null;
  metrics: Metrics;
  kept: readonly number[];
  veiled: readonly number[];
}

export interface Face {
  person: number;
  veiled: boolean;
  reason: string;
  box: Box;
}

/** The faces of the frame that is shown at some second of the stream. */
export interface Scene {
  seconds: number;
  width: number;
  height: number;
  faces: readonly Face[];
}

export class LiveApi {
  private readonly root: string;

  constructor(base: string) {
    this.root = `${base}api/v1/`;
  }

  async choose(person: number, choice: Choice): Promise<State> {
    const answer = await fetch(`${this.root}people/${person}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ choice }),
    });
    const content = (await answer.json()) as State & { error?: { message: string } };
    if (!answer.ok)
      throw new Error(content.error?.message ?? `The server answered ${answer.status}.`);
    return content;
  }

  stream(signal: AbortSignal): Promise<Response> {
    return fetch(`${this.root}stream`, { signal });
  }

  events(): EventSource {
    return new EventSource(`${this.root}events`);
  }
}
