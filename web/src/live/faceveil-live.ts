import { LitElement, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { theme } from "../theme.js";
import {
  LiveApi,
  type Choice,
  type Face,
  type Metrics,
  type Scene,
  type State,
} from "./live-api.js";
import { liveLayout } from "./live-layout.js";
import { Player } from "./player.js";

const MOST_SCENES = 300;
const ALARM_MS = 2000;
/** A person who is out of sight stays in the list for so long. */
const LISTED_SECONDS = 30;

interface Listed {
  face: Face;
  seconds: number;
}

/**
 * A live run as one element: the veiled stream, the faces in it, and who stays visible.
 *
 * `base` is the address under which the server answers `api/v1/`.
 */
@customElement("faceveil-live")
export class FaceveilLive extends LitElement {
  static override styles = [theme, liveLayout];

  @property() base = "";
  @state() private run: State | null = null;
  @state() private people: ReadonlyMap<number, Listed> = new Map();
  @state() private latency: number | null = null;
  @state() private isAlarmed = false;
  @state() private hasEnded = false;
  @state() private message = "";
  @query("video") private video!: HTMLVideoElement;
  @query("canvas") private canvas!: HTMLCanvasElement;
  private api = new LiveApi("");
  private events: EventSource | null = null;
  private player: Player | null = null;
  private scenes: Scene[] = [];
  private shown: Scene | null = null;
  private alarmed = 0;
  private animation = 0;

  override firstUpdated(): void {
    this.api = new LiveApi(this.base);
    this.events = this.api.events();
    this.events.addEventListener("state", (event: MessageEvent<string>) => {
      this.takeState(JSON.parse(event.data) as State);
    });
    this.events.addEventListener("faces", (event: MessageEvent<string>) => {
      this.takeScene(JSON.parse(event.data) as Scene);
    });
    this.events.addEventListener("closing", () => {
      this.hasEnded = true;
      this.events?.close();
      this.player?.close();
    });
    const draw = (): void => {
      this.drawFaces();
      this.animation = requestAnimationFrame(draw);
    };
    draw();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    cancelAnimationFrame(this.animation);
    this.events?.close();
    this.player?.close();
  }

  private takeState(run: State): void {
    const before = this.run?.metrics;
    if (before !== undefined && isBlank(before, run.metrics)) this.alarmed = performance.now();
    this.isAlarmed = this.alarmed > 0 && performance.now() - this.alarmed < ALARM_MS;
    this.run = run;
    this.player ??= new Player(this.video, this.api, run.mime_type);
    const playing = this.video.currentTime;
    this.latency = run.now === null || playing === 0 ? null : run.now - playing;
  }

  private takeScene(scene: Scene): void {
    this.scenes.push(scene);
    if (this.scenes.length > MOST_SCENES) this.scenes.shift();
    const people = new Map(this.people);
    for (const face of scene.faces) people.set(face.person, { face, seconds: scene.seconds });
    for (const [person, { seconds }] of people)
      if (scene.seconds - seconds > LISTED_SECONDS) people.delete(person);
    this.people = people;
  }

  /** Outlines the faces of the frame that the video shows. */
  private drawFaces(): void {
    const scene = this.sceneAt(this.video.currentTime);
    if (scene === this.shown) return;
    this.shown = scene;
    const context = this.canvas.getContext("2d");
    if (context === null || scene === null) return;
    this.canvas.width = scene.width;
    this.canvas.height = scene.height;
    const line = Math.max(2, scene.height / 360);
    context.lineWidth = line;
    context.font = `600 ${9 * line}px system-ui, sans-serif`;
    for (const face of scene.faces) {
      const [x1, y1, x2, y2] = face.box;
      context.strokeStyle = context.fillStyle = face.veiled ? "#c9ced6" : "#6fd39b";
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
      context.fillText(`${face.person}`, x1, Math.max(10 * line, y1 - 2 * line));
    }
  }

  private sceneAt(seconds: number): Scene | null {
    let found: Scene | null = null;
    for (const scene of this.scenes) {
      if (scene.seconds > seconds + 0.02) break;
      found = scene;
    }
    return found;
  }

  private readonly clicked = (event: MouseEvent): void => {
    const scene = this.shown;
    if (scene === null) return;
    const area = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width) * scene.width;
    const y = ((event.clientY - area.top) / area.height) * scene.height;
    const hits = scene.faces.filter(
      ({ box }) => box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3],
    );
    const [face] = hits.sort((one, other) => size(one) - size(other));
    if (face !== undefined) void this.choose(face.person, face.veiled ? "keep" : "veil");
  };

  private async choose(person: number, choice: Choice): Promise<void> {
    try {
      this.run = await this.api.choose(person, choice);
      this.message =
        choice === "keep"
          ? `Person ${person} is kept: visible in about a second, where it is certain who that is.`
          : choice === "veil"
            ? `Person ${person} is veiled.`
            : `Person ${person} is decided as at the start.`;
    } catch (error) {
      this.message = error instanceof Error ? error.message : String(error);
    }
  }

  override render() {
    return html`
      <header>
        <h1>${this.run?.name ?? "faceveil live"}</h1>
        ${this.renderNumbers()}
      </header>
      <main>
        <div class="picture ${this.isAlarmed ? "alarm" : ""}">
          <video muted autoplay playsinline aria-label="The veiled stream"></video>
          <canvas @click=${this.clicked} aria-hidden="true"></canvas>
          ${this.hasEnded ? html`<p class="ended" role="status">The stream has ended.</p>` : nothing}
          ${
            this.isAlarmed
              ? html`<p class="blanked" role="alert">
                  Pictures are replaced: faces cannot be detected in time.
                </p>`
              : nothing
          }
        </div>
        <aside aria-label="People">
          <h2>People</h2>
          ${
            this.people.size === 0
              ? html`<p class="muted">
                  Nobody has been seen in the last ${LISTED_SECONDS} seconds.
                </p>`
              : html`<ul>
                  ${[...this.people.values()]
                    .sort((one, other) => one.face.person - other.face.person)
                    .map((listed) => this.renderPerson(listed))}
                </ul>`
          }
          <p class="message" role="status">${this.message}</p>
          <p class="muted">
            A click on a face keeps or veils its person. Whoever is not certain stays veiled.
          </p>
        </aside>
      </main>
    `;
  }

  private renderPerson({ face }: Listed) {
    const kept = this.run?.kept.includes(face.person) === true;
    const veiled = this.run?.veiled.includes(face.person) === true;
    const chosen: Choice = kept ? "keep" : veiled ? "veil" : null;
    const choices = [
      ["keep", "Keep"],
      ["veil", "Veil"],
      [null, "Automatic"],
    ] as const;
    return html`
      <li>
        <div class="who">
          <strong>Person ${face.person}</strong>
          <span class="chip ${face.veiled ? "" : "keep"}"
            >${face.veiled ? "veiled" : "visible"}</span
          >
        </div>
        <p class="muted">${face.reason}</p>
        <div class="group" role="group" aria-label="Person ${face.person}">
          ${choices.map(
            ([choice, word]) =>
              html`<button
                aria-pressed=${chosen === choice ? "true" : "false"}
                @click=${() => this.choose(face.person, choice)}
              >
                ${word}
              </button>`,
          )}
        </div>
      </li>
    `;
  }

  private renderNumbers() {
    const metrics = this.run?.metrics;
    if (metrics?.frames_in === undefined)
      return html`<p class="muted">Waiting for the first picture …</p>`;
    const numbers: [string, string][] = [
      ["frames/s", fixed(metrics.frames_per_second, 1)],
      ["delay", `${fixed(metrics.delay_seconds, 2)} s`],
      ["latency", this.latency === null ? "–" : `${fixed(this.latency, 2)} s`],
      ["detected in every", `${ordinal(metrics.look_stride ?? 1)} frame`],
      ["dropped", fixed(metrics.frames_dropped, 0)],
      ["replaced", fixed((metrics.frames_frozen ?? 0) + (metrics.frames_blanked ?? 0), 0)],
    ];
    return html`<dl>
      ${numbers.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd class="number">${value}</dd>
          </div>`,
      )}
    </dl>`;
  }
}

/** Whether pictures were blanked or veiled whole between two states, or no detector works. */
function isBlank(before: Metrics, now: Metrics): boolean {
  const counters = ["frames_blanked", "frames_frozen", "frames_whole"] as const;
  return now.blind === 1 || counters.some((name) => (now[name] ?? 0) > (before[name] ?? 0));
}

function size(face: Face): number {
  const [x1, y1, x2, y2] = face.box;
  return (x2 - x1) * (y2 - y1);
}

function fixed(value: number | undefined, digits: number): string {
  return (value ?? 0).toFixed(digits);
}

function ordinal(value: number): string {
  const endings = ["th", "st", "nd", "rd"];
  const last = value % 100;
  return `${value}${endings[last > 10 && last < 14 ? 0 : last % 10] ?? "th"}`;
}
