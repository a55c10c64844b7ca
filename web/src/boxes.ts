import { KINDS, PROVENANCES, type Api, type Box, type BoxColumns } from "./api.js";
import type { Kind, Provenance } from "./api.js";

/** One box on one frame. */
export interface Face {
  box: Box;
  sequence: number;
  identity: number;
  provenance: Provenance;
  kind: Kind;
  veiled: boolean;
  score: number;
  object: string | null;
}

const CHUNK = 200;
const CHUNKS_KEPT = 40;

/** The boxes of the frames around the one that is shown, loaded in chunks. */
export class BoxCache {
  private chunks = new Map<number, Face[][]>();
  private loading = new Set<number>();
  private stale = new Set<number>();
  private generation = 0;

  constructor(
    private readonly api: Api,
    private readonly frameCount: number,
    private readonly changed: () => void,
  ) {}

  /** The boxes on a frame, or undefined until they have arrived. */
  at(frame: number): Face[] | undefined {
    const chunk = Math.floor(frame / CHUNK);
    this.want(chunk);
    if (frame % CHUNK > CHUNK / 2 && (chunk + 1) * CHUNK < this.frameCount) this.want(chunk + 1);
    return this.chunks.get(chunk)?.[frame % CHUNK];
  }

  /** Whether the boxes of the frame are of the newest revision. */
  isFresh(frame: number): boolean {
    const chunk = Math.floor(frame / CHUNK);
    return this.chunks.has(chunk) && !this.stale.has(chunk);
  }

  /** Keeps what is shown until newer boxes have arrived. */
  refresh(): void {
    this.generation += 1;
    this.loading.clear();
    this.stale = new Set(this.chunks.keys());
  }

  /** Shows a decision at once; the boxes of the next revision bring what the server made of it. */
  decide(isMeant: (face: Face) => boolean, veiled: boolean): void {
    for (const faces of this.chunks.values()) {
      for (const [frame, onFrame] of faces.entries()) {
        faces[frame] = onFrame.map((face) => (isMeant(face) ? { ...face, veiled } : face));
      }
    }
    this.changed();
  }

  private want(chunk: number): void {
    if (this.loading.has(chunk) || (this.chunks.has(chunk) && !this.stale.has(chunk))) return;
    this.loading.add(chunk);
    void this.load(chunk);
  }

  private async load(chunk: number): Promise<void> {
    const generation = this.generation;
    const first = chunk * CHUNK;
    const last = Math.min(first + CHUNK, this.frameCount) - 1;
    try {
      const columns = await this.api.get<BoxColumns>("boxes", { first, last });
      if (generation !== this.generation) return;
      this.chunks.delete(chunk);
      this.chunks.set(chunk, facesByFrame(columns, first, last));
      this.stale.delete(chunk);
      this.loading.delete(chunk);
      while (this.chunks.size > CHUNKS_KEPT) {
        this.chunks.delete(this.chunks.keys().next().value!);
      }
      this.changed();
    } catch {
      if (generation === this.generation) setTimeout(() => this.loading.delete(chunk), 1000);
    }
  }
}

function facesByFrame(columns: BoxColumns, first: number, last: number): Face[][] {
  const frames = Array.from({ length: last - first + 1 }, (): Face[] => []);
  for (const [row, frame] of columns.frames.entries()) {
    frames[frame - first]!.push({
      box: columns.boxes[row]!,
      sequence: columns.sequences[row]!,
      identity: columns.identities[row]!,
      provenance: PROVENANCES[columns.provenance[row]!]!,
      kind: KINDS[columns.kinds[row]!]!,
      veiled: columns.veiled[row] === 1,
      score: columns.scores[row]!,
      object: columns.objects[row]!,
    });
  }
  return frames;
}

/** Intersection over union of two boxes. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box: Box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** The smallest box around a point: a box inside another stays within reach. */
export function smallestAt(faces: Face[], x: number, y: number): Face | null {
  const area = ({ box }: Face) => (box[2] - box[0]) * (box[3] - box[1]);
  const around = faces.filter(
    ({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3],
  );
  return around.sort((a, b) => area(a) - area(b))[0] ?? null;
}
