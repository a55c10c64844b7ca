import { LitElement, css, html, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Sequence, Timeline as Columns } from "./api.js";
import { icon } from "./icons.js";
import { Watch } from "./observe.js";
import type { Session } from "./session.js";
import { theme } from "./theme.js";
import { percent, timecode } from "./timecode.js";

const HEIGHT = 96;
const RULER = 18; // pixels from the top: times, and the findings
const RISK = 64; // the bottom of the risk
const LOOKED = 76; // the bottom of what was looked at; the selected sequence lies below
const SHORTEST = 50; // frames in sight at the closest
const GRIP = 6; // pixels around an end of the selected sequence

/** Risk, shots, faces, findings and what has been looked at, over the whole video or a part. */
@customElement("fv-timeline")
export class Timeline extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        grid-template-columns: 1fr 40px;
        border-top: 1px solid var(--line);
        background: var(--panel);
      }

      .track {
        position: relative;
        height: ${HEIGHT}px;
      }

      canvas {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        touch-action: none;
      }

      .zoom {
        display: flex;
        flex-direction: column;
        justify-content: center;
        gap: 2px;
        border-left: 1px solid var(--line);
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;
  private first = 0;
  private last = 1;
  private columns: Columns | null = null;
  private columnsOf = { first: 0, last: 1 };
  private timer = 0;
  private dragging: "seek" | "first" | "last" | null = null;
  private draggedFrame = 0;
  private resize = new ResizeObserver(() => {
    this.fitCanvas();
  });

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["frame", "selection", "people"]);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resize.disconnect();
    clearTimeout(this.timer);
  }

  protected override firstUpdated(): void {
    this.last = Math.max(1, this.session.frameCount - 1);
    this.resize.observe(this.canvas);
    this.session.topics.on("timeline", () => {
      this.load();
    });
    this.load();
  }

  override render() {
    const { player, state } = this.session;
    const time = timecode(player.frame, state.video.rate);
    return html`<div class="track">
        <canvas
          tabindex="0"
          role="slider"
          aria-label="Timeline"
          aria-valuemin="0"
          aria-valuemax=${this.session.frameCount - 1}
          aria-valuenow=${player.frame}
          aria-valuetext=${`${time}, ${this.lookedText()}`}
          @pointerdown=${this.down}
          @pointermove=${this.moved}
          @pointerup=${this.up}
          @wheel=${this.wheel}
        ></canvas>
      </div>
      <div class="zoom">
        <button
          class="plain"
          aria-label="Zoom in the timeline"
          title="Zoom in"
          @click=${() => {
            this.zoom(0.5);
          }}
        >
          ${icon("zoomIn")}
        </button>
        <button
          class="plain"
          aria-label="Zoom out the timeline"
          title="Zoom out"
          @click=${() => {
            this.zoom(2);
          }}
        >
          ${icon("zoomOut")}
        </button>
        <button
          class="plain"
          aria-label="Whole video"
          title="Whole video"
          @click=${() => {
            this.see(0, this.session.frameCount - 1);
          }}
        >
          ${icon("fit")}
        </button>
      </div>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    this.follow();
    this.paint();
  }

  private lookedText(): string {
    return this.columns ? `${percent(this.columns.risk_left)} of the risk is left` : "";
  }

  private get canvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector("canvas")!;
  }

  // Data

  /** Asks for what is in sight, once it has stayed the same for a moment. */
  private load(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const { first, last } = this;
      const buckets = Math.min(
        1200,
        Math.max(50, Math.round(this.clientWidth / 2)),
        last - first + 1,
      );
      this.session.api.get<Columns>("timeline", { first, last, buckets }).then(
        (columns) => {
          this.columns = columns;
          this.columnsOf = { first, last };
          this.session.setRiskLeft(columns.risk_left);
          this.requestUpdate();
        },
        () => undefined, // the connection is watched elsewhere; the next change asks again
      );
    }, 120);
  }

  // Which part is in sight

  private zoom(factor: number, around = this.session.player.frame): void {
    const length = this.last - this.first;
    const share = length > 0 ? (around - this.first) / length : 0.5;
    const wanted = Math.max(SHORTEST, length * factor);
    const first = around - wanted * Math.min(Math.max(share, 0), 1);
    this.see(first, first + wanted);
  }

  private see(first: number, last: number): void {
    const end = Math.max(1, this.session.frameCount - 1);
    const length = Math.min(last - first, end);
    this.first = Math.round(Math.min(Math.max(first, 0), end - length));
    this.last = Math.round(this.first + length);
    this.load();
    this.paint();
  }

  /** Keeps the frame that is shown in sight. */
  private follow(): void {
    const { frame } = this.session.player;
    if (frame >= this.first && frame <= this.last) return;
    const length = this.last - this.first;
    this.see(frame - length / 10, frame + length * 0.9);
  }

  private x(frame: number): number {
    return ((frame - this.first) / Math.max(1, this.last - this.first)) * this.canvas.clientWidth;
  }

  private frameAt(x: number): number {
    const share = Math.min(Math.max(x / Math.max(1, this.canvas.clientWidth), 0), 1);
    return Math.round(this.first + share * (this.last - this.first));
  }

  // Gestures

  private readonly down = (event: PointerEvent) => {
    this.canvas.setPointerCapture(event.pointerId);
    const extent = this.session.selection.sequence;
    const near = (frame: number) => Math.abs(this.x(frame) - event.offsetX) <= GRIP;
    if (extent && event.offsetY > LOOKED && near(extent.first)) this.dragging = "first";
    else if (extent && event.offsetY > LOOKED && near(extent.last)) this.dragging = "last";
    else this.dragging = "seek";
    this.moved(event);
  };

  private readonly moved = (event: PointerEvent) => {
    if (!this.dragging) return;
    this.draggedFrame = this.frameAt(event.offsetX);
    this.session.player.pause();
    this.session.player.show(this.draggedFrame);
  };

  private readonly up = () => {
    if (this.dragging === "first" || this.dragging === "last") {
      void this.session.selection.setEnd(this.dragging, this.draggedFrame);
    }
    this.dragging = null;
  };

  private readonly wheel = (event: WheelEvent) => {
    event.preventDefault();
    const length = this.last - this.first;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = ((event.deltaX || event.deltaY) / this.canvas.clientWidth) * length;
      this.see(this.first + by, this.last + by);
    } else {
      this.zoom(Math.exp(event.deltaY / 300), this.frameAt(event.offsetX));
    }
  };

  // Painting

  private fitCanvas(): void {
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(HEIGHT * devicePixelRatio);
    this.load();
    this.paint();
  }

  private paint(): void {
    const context = this.canvas.getContext("2d")!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.canvas.clientWidth, HEIGHT);
    this.paintShots(context);
    if (this.columns) {
      this.paintRisk(context, this.columns);
      this.paintFindings(context, this.columns.findings);
    }
    this.paintRuler(context);
    this.paintSelected(context, this.session.selection.sequence);
    this.paintPlayhead(context);
  }

  private paintShots(context: CanvasRenderingContext2D): void {
    const { shots } = this.session.state;
    const starts = [...shots.filter((first) => first <= this.last), this.last + 1];
    for (let shot = 0; shot + 1 < starts.length; shot++) {
      if (starts[shot + 1]! < this.first) continue;
      const [from, to] = [this.x(starts[shot]!), this.x(starts[shot + 1]!)];
      context.fillStyle = shot % 2 === 0 ? "#202327" : "#272b30";
      context.fillRect(from, RULER, to - from, LOOKED - RULER);
    }
  }

  private paintRisk(context: CanvasRenderingContext2D, columns: Columns): void {
    const { first, last } = this.columnsOf;
    const count = columns.risk.length;
    const width = (last - first + 1) / Math.max(1, count);
    const mostFaces = Math.max(1, ...columns.faces);
    for (let bucket = 0; bucket < count; bucket++) {
      const left = this.x(first + bucket * width);
      const across = Math.max(1, this.x(first + (bucket + 1) * width) - left + 0.5);
      const tall = RISK - RULER - 4;
      context.fillStyle = "#3a4048";
      const faces = (columns.faces[bucket]! / mostFaces) * tall * 0.5;
      context.fillRect(left, RISK - faces, across, faces);
      const risk = columns.risk[bucket]!;
      context.fillStyle = riskColour(risk);
      context.fillRect(left, RISK - risk * tall, across, risk * tall);
      const looked = columns.looked[bucket]!;
      context.fillStyle = looked >= 0.999 ? "#7fb2ff" : `rgb(127 178 255 / ${0.15 + looked * 0.5})`;
      if (looked > 0) context.fillRect(left, RISK + 4, across, LOOKED - RISK - 6);
    }
  }

  private paintFindings(context: CanvasRenderingContext2D, findings: number[]): void {
    context.fillStyle = "#ff6b61";
    for (const frame of findings) {
      const x = this.x(frame);
      context.beginPath();
      context.moveTo(x, RULER - 2);
      context.lineTo(x + 5, RULER + 4);
      context.lineTo(x, RULER + 10);
      context.lineTo(x - 5, RULER + 4);
      context.fill();
    }
  }

  private paintRuler(context: CanvasRenderingContext2D): void {
    const { rate } = this.session.state.video;
    const second = Math.max(1, Math.round(rate));
    const wanted = ((this.last - this.first) / Math.max(1, this.canvas.clientWidth)) * 110;
    const steps = [1, 5, second, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600].map((step, index) =>
      index < 3 ? step : step * second,
    );
    const step = steps.find((frames) => frames >= wanted) ?? 7200 * second;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = "#a6acb4";
    context.textBaseline = "middle";
    for (let at = Math.ceil(this.first / step) * step; at <= this.last; at += step) {
      context.fillRect(Math.round(this.x(at)), 0, 1, 5);
      context.fillText(this.session.time(at), this.x(at) + 5, 9);
    }
  }

  private paintSelected(
    context: CanvasRenderingContext2D,
    extent: Pick<Sequence, "first" | "last"> | null,
  ): void {
    if (!extent) return;
    let { first, last } = extent;
    if (this.dragging === "first") first = Math.min(this.draggedFrame, last);
    if (this.dragging === "last") last = Math.max(this.draggedFrame, first);
    const [from, to] = [this.x(first), Math.max(this.x(last), this.x(first) + 2)];
    context.fillStyle = "#e8e9eb";
    context.fillRect(from, LOOKED + 6, to - from, 6);
    context.fillRect(from - 2, LOOKED + 2, 4, 14);
    context.fillRect(to - 2, LOOKED + 2, 4, 14);
  }

  private paintPlayhead(context: CanvasRenderingContext2D): void {
    const x = Math.round(this.x(this.session.player.frame));
    context.fillStyle = "#ffffff";
    context.fillRect(x - 1, 0, 2, HEIGHT);
    context.beginPath();
    context.moveTo(x - 6, 0);
    context.lineTo(x + 6, 0);
    context.lineTo(x, 7);
    context.fill();
  }
}

/** From calm to alarming, of rising lightness so that it does not rest on hue alone. */
function riskColour(risk: number): string {
  if (risk < 0.25) return "#5c6f86";
  if (risk < 0.5) return "#b08d3c";
  if (risk < 0.75) return "#e0913f";
  return "#ff7a6b";
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-timeline": Timeline;
  }
}
