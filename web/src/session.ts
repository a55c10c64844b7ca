import { ApiError, type Api, type Correction, type Decision, type Finding } from "./api.js";
import type {
  Keyframe,
  NextStretch,
  People,
  Person,
  Sequence,
  SequencePage,
  State,
  Stretch,
  Task,
} from "./api.js";
import { BoxCache, type Face } from "./boxes.js";
import { Topics } from "./observe.js";
import { Paged } from "./paged.js";
import { PictureCache } from "./pictures.js";
import { Player } from "./player.js";
import { Selection, isSame, targetOf } from "./selection.js";
import { frameOf, timecode } from "./timecode.js";

export type Topic =
  | "state" // video, revision, connection, messages
  | "people"
  | "boxes"
  | "frame" // which frame is shown, and how
  | "selection"
  | "timeline"
  | "tasks";

export type Connection = "connecting" | "open" | "lost" | "closed" | "refused";

export interface Notice {
  text: string;
  isError: boolean;
}

const NOTICE_MS = 6000;

/** What the page knows of the review, and everything that a person can do to it. */
export class Session {
  readonly topics = new Topics<Topic>();
  readonly crops: PictureCache;
  readonly player: Player;
  readonly selection = new Selection(this);
  readonly boxes: BoxCache;
  readonly people: Paged<Person>;
  readonly opened = new Map<number, Paged<Sequence>>();
  connection: Connection = "open";
  notice: Notice | null = null;
  stretch: Stretch | null = null;
  findings: Finding[] = [];
  riskLeft: number | null = null;
  /** The newest revision that is known of. */
  private wanted = 0;
  private renewal: Promise<void> | null = null;
  private readonly names = new Map<number, string>();
  private readonly ended = new AbortController();
  private noticeTimer = 0;

  /** Asks the server for the video and its people, and starts to listen to it. */
  static async open(api: Api): Promise<Session> {
    return new Session(api, await api.get<State>("state"));
  }

  private constructor(
    readonly api: Api,
    public state: State,
  ) {
    this.crops = new PictureCache(api, 600);
    this.boxes = new BoxCache(api, state.video.frame_count, () => {
      this.selection.find();
      this.topics.emit("boxes");
    });
    this.people = new Paged(
      async (offset, limit) => {
        const page = await api.get<People>("people", {
          offset,
          limit,
        });
        return { total: page.total, items: page.people };
      },
      () => {
        this.names.clear();
        this.topics.emit("people");
      },
    );
    this.player = new Player(this);
    this.people.refresh();
    void this.listen();
    void this.loadFindings();
  }

  end(): void {
    this.ended.abort();
    this.player.end();
    clearTimeout(this.noticeTimer);
  }

  get frameCount(): number {
    return this.state.video.frame_count;
  }

  /** The time of a frame, without hours where the video has none. */
  time(frame: number): string {
    const text = timecode(frame, this.state.video.rate);
    return this.frameCount < 3600 * this.state.video.rate ? text.slice(3) : text;
  }

  tell(text: string, isError = false): void {
    this.notice = { text, isError };
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => {
      this.notice = null;
      this.topics.emit("state");
    }, NOTICE_MS);
    this.topics.emit("state");
  }

  // Corrections

  /** Sends a correction. Returns whether the server took it. */
  async correct(correction: Correction, done?: string): Promise<boolean> {
    return this.attempt(async () => {
      const body = { revision: this.state.revision, ...correction };
      const answer = await this.api.post<{ revision: number; task: Task | null }>(
        "corrections",
        body,
      );
      if (answer.task) this.hearTask(answer.task);
      if (done) this.tell(done);
      await this.renew(answer.revision);
    });
  }

  async undo(): Promise<void> {
    if (this.state.can_undo) await this.step("undo");
  }

  async redo(): Promise<void> {
    if (this.state.can_redo) await this.step("redo");
  }

  private async step(path: "undo" | "redo"): Promise<void> {
    await this.attempt(async () => {
      const body = { revision: this.state.revision };
      const answer = await this.api.post<{ revision: number }>(path, body);
      this.tell(path === "undo" ? "Undone" : "Done again");
      await this.renew(answer.revision);
    });
  }

  /** Draws a box of the chosen kind, which the server then follows through the shot. */
  draw(keyframes: [Keyframe]): Promise<boolean> {
    return this.correct({ op: "draw", kind: this.selection.drawKind, keyframes });
  }

  decidePerson(identity: number, decision: Decision): Promise<boolean> {
    this.showDecision((face) => face.identity === identity, decision);
    return this.correct({ op: "decide", target: { identity }, decision });
  }

  /** Keeps the person of a veiled face, veils the person of a visible one. */
  togglePerson(face: Face): Promise<boolean> {
    if (face.object !== null) return this.toggleSequence(face);
    return this.decidePerson(face.identity, face.veiled ? "keep" : "veil");
  }

  toggleSequence(face: Face): Promise<boolean> {
    const decision = face.veiled ? "keep" : "veil";
    this.showDecision((other) => isSame(other, face), decision);
    return this.correct({ op: "decide", target: targetOf(face), decision });
  }

  /** A click is answered at once; what the server refuses is shown as it was. */
  private showDecision(isMeant: (face: Face) => boolean, decision: Decision): void {
    this.boxes.decide(isMeant, decision === "veil");
  }

  private async attempt(act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) await this.renew();
      this.boxes.refresh();
      this.topics.emit("boxes");
      this.tell(error.message, true);
      if (error.status === 0) this.setConnection("lost");
      return false;
    }
  }

  setRiskLeft(share: number): void {
    if (this.riskLeft === share) return;
    this.riskLeft = share;
    this.topics.emit("state");
  }

  // People

  /** The name of an identity, or its number until it has one. */
  nameOf(identity: number): string {
    if (this.names.size === 0) {
      for (const [, person] of this.people.known()) {
        if (person.name !== null) this.names.set(person.identity, person.name);
      }
    }
    return this.names.get(identity) ?? `Person ${identity + 1}`;
  }

  sequencesOf(identity: number): Paged<Sequence> {
    let sequences = this.opened.get(identity);
    if (!sequences) {
      sequences = new Paged(
        async (offset, limit) => {
          const path = `people/${identity}/sequences`;
          const page = await this.api.get<SequencePage>(path, { offset, limit });
          return { total: page.total, items: page.sequences };
        },
        () => {
          this.topics.emit("people");
        },
      );
      this.opened.set(identity, sequences);
      sequences.refresh();
    }
    return sequences;
  }

  // Where to look

  goToShot(direction: -1 | 1): void {
    const { shots } = this.state;
    const { frame } = this.player;
    const target =
      direction === 1
        ? shots.find((first) => first > frame)
        : shots.findLast((first) => first < frame);
    this.player.pause();
    if (target !== undefined) this.player.show(target);
  }

  /** Goes to a frame number or a time. Returns whether the text names one. */
  goTo(text: string): boolean {
    const frame = frameOf(text, this.state.video.rate);
    if (frame === null || frame >= this.frameCount) {
      this.tell(`"${text}" is no frame or time of this video`, true);
      return false;
    }
    this.player.show(frame);
    return true;
  }

  async goToRiskiest(): Promise<void> {
    await this.player.reportLooked();
    await this.attempt(async () => {
      const next = await this.api.get<NextStretch>("next", { after: this.player.frame });
      this.stretch = "done" in next ? null : next;
      if (this.stretch) this.player.show(this.stretch.first);
      else this.tell("Every risky stretch has been looked at");
      this.topics.emit("timeline");
    });
  }

  async loadFindings(): Promise<void> {
    try {
      this.findings = await this.api.get<Finding[]>("findings");
      this.topics.emit("tasks");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  // Rendering

  async render(style: string, matte: boolean): Promise<void> {
    await this.attempt(async () => {
      this.hearTask(await this.api.post<Task>("render", { style, matte }));
    });
  }

  async cancel(task: Task): Promise<void> {
    await this.attempt(() => this.api.delete(`tasks/${task.id}`));
  }

  // The server's news

  /** Asks for everything anew, unless this revision is already here; never twice at a time. */
  private renew(revision = 0): Promise<void> {
    if (revision > 0 && revision <= this.state.revision) return Promise.resolve();
    this.wanted = Math.max(this.wanted, revision);
    this.renewal ??= this.renewNow().finally(() => {
      this.renewal = null;
    });
    return this.renewal;
  }

  private async renewNow(): Promise<void> {
    this.state = await this.api.get<State>("state");
    if (this.state.revision < this.wanted) this.state = await this.api.get<State>("state");
    this.wanted = this.state.revision; // lower than before where the server has started again
    this.people.refresh();
    for (const sequences of this.opened.values()) sequences.refresh();
    this.boxes.refresh();
    this.selection.forgetSequence();
    this.topics.emit("state", "people", "boxes", "frame", "timeline", "tasks");
  }

  private hearTask(task: Task): void {
    const others = this.state.tasks.filter((other) => other.id !== task.id);
    this.state.tasks = [...others, task];
    if (task.state === "failed") this.tell(task.message ?? "The work failed", true);
    if (task.state !== "running" && task.kind !== "follow") {
      void this.loadFindings();
      void this.attempt(async () => {
        this.state = await this.api.get<State>("state");
        this.topics.emit("tasks", "timeline", "state");
      });
    }
    this.topics.emit("tasks");
  }

  private async listen(): Promise<void> {
    const signal = this.ended.signal;
    for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 8000)) {
      try {
        const opened = () => {
          wait = 500;
          if (this.connection !== "open") {
            this.setConnection("open");
            void this.attempt(() => this.renew());
          }
        };
        for await (const { event, data } of this.api.events(signal, opened)) {
          await this.hear(event, data);
        }
      } catch (error) {
        if (error instanceof ApiError && [401, 403].includes(error.status)) {
          this.setConnection("refused");
          return;
        }
      }
      if (!this.isOver()) this.setConnection("lost");
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  private isOver(): boolean {
    return this.ended.signal.aborted || this.connection === "closed";
  }

  private async hear(event: string, data: string): Promise<void> {
    if (event === "revision") {
      const { revision } = JSON.parse(data) as { revision: number };
      await this.attempt(() => this.renew(revision));
    } else if (event === "task") {
      this.hearTask(JSON.parse(data) as Task);
    } else if (event === "looked") {
      this.topics.emit("timeline");
    } else if (event === "closing") {
      this.setConnection("closed");
    }
  }

  private setConnection(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    this.topics.emit("state");
  }
}
