import { ApiError, type Box, type Kind, type Sequence, type Target } from "./api.js";
import { overlap, type Face } from "./boxes.js";
import type { Session } from "./session.js";

/** What a press on the picture does: decide, move and resize, or draw. */
export type Tool = "choose" | "adjust" | "draw";

const UNKNOWN = {
  identity: -1,
  provenance: "detected",
  kind: "face",
  veiled: true,
  score: 0,
  object: null,
} as const;

/** The tool in hand, the box that is selected, and what can be done to its sequence. */
export class Selection {
  tool: Tool = "choose";
  drawKind: Kind = "face";
  face: Face | null = null;
  /** The frame on which the selected face has its box. */
  frame = 0;
  /** The sequence of the selected face, once it is known. */
  sequence: Sequence | null = null;

  constructor(private readonly session: Session) {}

  setTool(tool: Tool): void {
    this.tool = tool;
    this.session.topics.emit("selection");
  }

  setDrawKind(kind: Kind): void {
    this.drawKind = kind;
    this.setTool("draw");
  }

  select(face: Face | null): void {
    this.face = face;
    this.frame = this.session.player.frame;
    if (face?.sequence !== this.sequence?.sequence) {
      this.sequence = null;
      if (face) void this.loadSequence(face);
    }
    this.session.topics.emit("selection");
  }

  /** Selects the next box on the frame, from left to right. */
  selectNext(by: -1 | 1): void {
    const { boxes, player } = this.session;
    const faces = (boxes.at(player.frame) ?? []).toSorted((a, b) => a.box[0] - b.box[0]);
    if (faces.length === 0) return;
    const place = faces.findIndex(({ sequence }) => sequence === this.face?.sequence);
    const next = place < 0 && by < 0 ? -1 : place + by;
    this.select(faces.at(next % faces.length)!);
  }

  /** Shows a frame and selects the box of a sequence there, as soon as the boxes are here. */
  goTo(frame: number, sequence: number, box: Box): void {
    const { player } = this.session;
    player.pause();
    this.face = { ...UNKNOWN, sequence, box };
    player.show(frame);
    this.frame = frame;
    this.find();
  }

  /**
   * Finds the selected face again. After a step the selection stays on its sequence; after a
   * correction, which may number sequences anew, on the box that lies where it was.
   */
  find(): void {
    const before = this.face;
    const { boxes, player } = this.session;
    const faces = boxes.at(player.frame);
    if (!before || !faces) return;
    const near = (face: Face) => overlap(face.box, before.box);
    const nearest =
      player.frame === this.frame ? faces.toSorted((a, b) => near(b) - near(a))[0] : undefined;
    const found =
      nearest && near(nearest) > 0.5 ? nearest : faces.find((face) => isSame(face, before));
    if (!found) return;
    if (isSame(found, before) && found.veiled === before.veiled && this.sequence) {
      this.face = found; // only its box has changed, which the frame's listeners draw
      this.frame = player.frame;
    } else {
      this.select(found);
    }
  }

  /** Called when the revision has risen: the sequence may begin and end elsewhere now. */
  forgetSequence(): void {
    this.sequence = null;
  }

  private async loadSequence(face: Face): Promise<void> {
    try {
      const found = await this.session.api.get<Sequence>(`sequences/${face.sequence}`);
      if (this.face?.sequence !== face.sequence) return;
      this.sequence = found;
      this.session.topics.emit("selection");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  // Corrections of the selected sequence

  togglePerson(): void {
    if (this.face) void this.session.togglePerson(this.face);
  }

  toggleSequence(): void {
    if (this.face) void this.session.toggleSequence(this.face);
  }

  /** Lets the selected sequence begin or end at a frame. */
  async setEnd(end: "first" | "last", frame: number): Promise<void> {
    const { face, sequence, session } = this;
    if (!face || !sequence) return;
    const first = end === "first" ? frame : sequence.first;
    const last = end === "last" ? frame : sequence.last;
    if (first > last) {
      session.tell("A sequence cannot end before it begins", true);
      return;
    }
    await session.correct({ op: "extent", first, last, ...targetOf(face) });
  }

  splitHere(): void {
    const { face, session } = this;
    if (!face) return;
    const split = { op: "split", sequence: face.sequence, frame: session.player.frame } as const;
    void session.correct(split, "Split in two");
  }

  /** The selected face becomes a further reference of its person (thesis, 4.6.1). */
  useAsReference(): void {
    const { face, frame, session } = this;
    if (!face) return;
    const { identity, box } = face;
    const reference = { op: "reference", identity, frame, box } as const;
    void session.correct(reference, "Its matches were joined with this person");
  }

  removeVeil(range: "all" | "on" | "here", why: string): void {
    const { face, session } = this;
    if (!face) return;
    const { frame } = session.player;
    const first = range === "all" ? {} : { first: frame };
    const last = range === "here" ? { last: frame } : {};
    void session.correct({ op: "remove", ...first, ...last, why, ...targetOf(face) });
  }
}

/** The target of a correction of a face's boxes. */
export function targetOf(face: Face): Target {
  return face.object === null ? { sequence: face.sequence } : { object: face.object };
}

/** Whether two boxes are of one sequence or one object. */
export function isSame(a: Face, b: Face): boolean {
  return a.object === b.object && (a.object !== null || a.sequence === b.sequence);
}
