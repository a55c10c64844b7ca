import { LitElement, css, html, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Box, Keyframe } from "./api.js";
import { smallestAt, type Face } from "./boxes.js";
import { arrowed, isTooSmall, middleBox, shifted, type Draft } from "./draft.js";
import { drawDraft, drawFace, drawHandles, handleAt, type Handle } from "./drawing.js";
import { Watch } from "./observe.js";
import { isSame, targetOf } from "./selection.js";
import type { Session } from "./session.js";
import { theme } from "./theme.js";
import { timecode } from "./timecode.js";
import { Viewport } from "./viewport.js";

/** What the pointer has been doing since it went down at x, y (pixels of the screen) on a face. */
type Gesture = { x: number; y: number; face: Face | null } & (
  { what: "press" | "pan" | "draw" } | { what: "shape"; of: Face | null; box: Box; sides: number[] }
);

const CLICK = 4; // pixels that a click may move

/** The frame with its boxes: click, draw, move and resize, zoom. */
@customElement("fv-picture")
export class Picture extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
        position: relative;
        min-height: 0;
        min-width: 0;
        overflow: hidden;
        background: #0c0d0e;
      }

      canvas {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        touch-action: none;
      }

      canvas:focus-visible {
        outline-offset: -3px;
      }

      .waiting {
        position: absolute;
        top: 12px;
        left: 50%;
        transform: translateX(-50%);
        padding: 3px 10px;
        border-radius: 12px;
        background: rgb(20 21 23 / 85%);
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;
  private viewport!: Viewport;
  private gesture: Gesture | null = null;
  private draft: Draft | null = null;
  private hovered: Face | null = null;
  private onScreen: ImageBitmap | null = null;
  private waitingFor = "";
  private painting = 0;
  private resize = new ResizeObserver(() => {
    this.fitCanvas();
  });

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["frame", "boxes", "selection", "people", "state"]);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resize.disconnect();
    cancelAnimationFrame(this.painting);
  }

  protected override firstUpdated(): void {
    const { width, height } = this.session.state.video;
    this.viewport = new Viewport(width, height);
    this.resize.observe(this);
    this.session.topics.on("boxes", () => {
      if (this.draft?.isSent) this.draft = null;
    });
    this.session.topics.on("frame", () => {
      if (this.draft && !this.draft.isSent) this.draft = null;
    });
  }

  override render() {
    return html`<canvas
      tabindex="0"
      role="application"
      aria-label=${this.description()}
      @pointerdown=${this.down}
      @pointermove=${this.moved}
      @pointerup=${this.up}
      @pointercancel=${this.cancel}
      @pointerleave=${() => {
        this.hover(null);
      }}
      @wheel=${this.wheel}
      @keydown=${this.key}
    ></canvas>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    this.paint();
  }

  private get faces(): Face[] {
    return this.session.boxes.at(this.session.player.frame) ?? [];
  }

  private get canvas(): HTMLCanvasElement {
    return this.renderRoot.querySelector("canvas")!;
  }

  private description(): string {
    const { player, state } = this.session;
    const faces = this.faces.map(
      (face) => `${this.session.nameOf(face.identity)} ${face.veiled ? "veiled" : "kept"}`,
    );
    const what = faces.length > 0 ? faces.join(", ") : "no boxes";
    return `Frame ${player.frame}, ${timecode(player.frame, state.video.rate)}: ${what}`;
  }

  // Zoom, for the buttons and keys of the page

  zoom(factor: number): void {
    this.viewport.zoomAt(factor);
    this.zoomed();
  }

  fit(): void {
    this.viewport.fit();
    this.zoomed();
  }

  private zoomed(): void {
    const { player, state } = this.session;
    player.usefulWidth = this.viewport.scale * state.video.width * devicePixelRatio;
    this.paint();
  }

  private fitCanvas(): void {
    const { canvas } = this;
    canvas.width = Math.round(this.clientWidth * devicePixelRatio);
    canvas.height = Math.round(this.clientHeight * devicePixelRatio);
    this.viewport.resize(this.clientWidth, this.clientHeight);
    this.zoomed();
  }

  // Painting

  private paint(): void {
    this.painting ||= requestAnimationFrame(() => {
      this.painting = 0;
      if (this.isConnected) this.paintNow();
    });
  }

  private paintNow(): void {
    this.fetchPicture();
    const context = this.canvas.getContext("2d")!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.clientWidth, this.clientHeight);
    const { width, height } = this.session.state.video;
    const [left, top, right, bottom] = this.viewport.boxToScreen([0, 0, width, height]);
    if (this.onScreen && this.onScreen.width > 0) {
      context.imageSmoothingQuality = "high";
      context.drawImage(this.onScreen, left, top, right - left, bottom - top);
    }
    if (this.session.player.view === "boxes") this.paintBoxes(context);
    if (this.draft) {
      const screen = this.viewport.boxToScreen(this.draft.box);
      drawDraft(context, this.draft.face?.kind ?? this.session.selection.drawKind, screen);
      if (!this.draft.isSent) drawHandles(context, screen);
    }
  }

  private paintBoxes(context: CanvasRenderingContext2D): void {
    const selected = this.shownSelection();
    for (const face of this.faces) {
      if (this.draft?.face && isSame(face, this.draft.face)) continue;
      const screen = this.viewport.boxToScreen(face.box);
      drawFace(context, face, screen, {
        isSelected: face === selected,
        isHovered: this.hovered !== null && isSame(face, this.hovered),
        name: this.session.nameOf(face.identity),
      });
    }
    if (selected && !this.draft && !this.session.player.playing) {
      drawHandles(context, this.viewport.boxToScreen(selected.box));
    }
  }

  /** The selected face if it has a box on this frame. */
  private shownSelection(): Face | null {
    const selected = this.session.selection.face;
    return selected ? (this.faces.find((face) => isSame(face, selected)) ?? null) : null;
  }

  /** Puts the frame on the screen, or asks for it and keeps the one before until it is here. */
  private fetchPicture(): void {
    const { player } = this.session;
    const { frame } = player;
    const sharp = player.url(frame, player.restingWidth);
    const picture = player.pictures.peek(sharp) ?? player.pictures.peek(player.url(frame));
    if (picture) {
      this.onScreen = picture;
      player.markShown(frame);
    }
    if (!player.pictures.peek(sharp) && this.waitingFor !== sharp) {
      this.waitingFor = sharp;
      const again = () => {
        if (this.waitingFor === sharp) this.waitingFor = "";
        this.paint();
      };
      player.pictures.load(sharp).then(again, () => {
        setTimeout(again, 1000);
      });
    }
  }

  // Gestures

  private readonly down = (event: PointerEvent) => {
    const { session } = this;
    session.player.pause();
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.point(event);
    const face = this.faceAt(at);
    const handle = this.handleAt(at);
    const press = { x: at[0], y: at[1], face };
    if (event.button === 1) {
      this.gesture = { what: "pan", ...press };
    } else if (handle) {
      const of = this.draft ? this.draft.face : this.shownSelection();
      const box = this.draft?.box ?? of!.box;
      this.gesture = { what: "shape", ...press, of, box, sides: handle.sides };
    } else if (session.selection.tool === "draw") {
      this.gesture = { what: "draw", ...press };
    } else if (session.selection.tool === "adjust" && face) {
      session.selection.select(face);
      this.gesture = { what: "shape", ...press, of: face, box: face.box, sides: [0, 1, 2, 3] };
    } else {
      this.gesture = { what: "press", ...press };
    }
  };

  private readonly moved = (event: PointerEvent) => {
    const at = this.point(event);
    const { gesture } = this;
    if (!gesture) {
      this.hover(this.faceAt(at));
      this.canvas.style.cursor = this.cursorAt(at);
      return;
    }
    const [dx, dy] = [at[0] - gesture.x, at[1] - gesture.y];
    const isClick = Math.hypot(dx, dy) <= CLICK && !this.draft;
    if (gesture.what === "pan" || (gesture.what === "press" && !isClick)) {
      this.viewport.move(dx, dy);
      this.gesture = { ...gesture, what: "pan", x: at[0], y: at[1] };
    } else if (gesture.what === "draw" && !isClick) {
      const from = this.viewport.toVideo(gesture.x, gesture.y);
      const box = this.viewport.clip([...from, ...this.viewport.toVideo(...at)]);
      this.draft = { box, face: null, isSent: false };
    } else if (gesture.what === "shape" && !isClick) {
      const { scale } = this.viewport;
      const box = shifted(gesture.box, gesture.sides, dx / scale, dy / scale);
      this.draft = { box: this.viewport.clip(box), face: gesture.of, isSent: false };
    }
    this.paint();
  };

  private readonly up = (event: PointerEvent) => {
    const { gesture, session } = this;
    this.gesture = null;
    if (!gesture || gesture.what === "pan") return;
    if (this.draft && gesture.what !== "press") {
      this.commit();
      return;
    }
    if (session.selection.tool === "draw") return;
    session.selection.select(gesture.face);
    if (!gesture.face || session.selection.tool !== "choose" || event.shiftKey) return;
    if (event.altKey) void session.toggleSequence(gesture.face);
    else void session.togglePerson(gesture.face);
  };

  private readonly cancel = () => {
    this.gesture = null;
    this.draft = null;
    this.paint();
  };

  private readonly wheel = (event: WheelEvent) => {
    event.preventDefault();
    const at = this.point(event);
    this.viewport.zoomAt(Math.exp(-event.deltaY / 300), ...at);
    this.zoomed();
  };

  /** Enter begins a box that arrows move and Shift with arrows resizes; Enter again sends it. */
  private readonly key = (event: KeyboardEvent) => {
    const { session } = this;
    if (!this.draft || this.draft.isSent) {
      if (event.key !== "Enter") return;
      if (session.selection.tool === "draw") {
        const { width, height } = session.state.video;
        this.draft = { box: middleBox(width, height), face: null, isSent: false };
      } else if (this.shownSelection()) {
        const face = this.shownSelection()!;
        this.draft = { box: face.box, face, isSent: false };
      }
    } else if (event.key === "Enter") {
      this.commit();
    } else if (event.key === "Escape") {
      this.draft = null;
    } else if (event.key.startsWith("Arrow")) {
      const box = arrowed(this.draft.box, event, session.state.video.width);
      this.draft = { ...this.draft, box: this.viewport.clip(box) };
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.paint();
  };

  /** Sends the box that was drawn or changed. */
  private commit(): void {
    const { draft, session } = this;
    if (!draft) return;
    if (isTooSmall(draft.box)) {
      this.cancel();
      return;
    }
    draft.isSent = true;
    const keyframes: [Keyframe] = [{ frame: session.player.frame, box: draft.box }];
    const sent = draft.face
      ? session.correct({ op: "shape", keyframes, ...targetOf(draft.face) })
      : session.draw(keyframes);
    void sent.then((taken) => {
      if (!taken) this.draft = null;
      this.paint();
    });
    this.paint();
  }

  // What lies where

  private point(event: MouseEvent): [number, number] {
    const bounds = this.canvas.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  }

  private faceAt(at: [number, number]): Face | null {
    return smallestAt(this.faces, ...this.viewport.toVideo(...at));
  }

  private handleAt(at: [number, number]): Handle | undefined {
    const box = this.draft && !this.draft.isSent ? this.draft.box : this.shownSelection()?.box;
    if (!box || this.session.player.view !== "boxes") return undefined;
    return handleAt(this.viewport.boxToScreen(box), ...at);
  }

  private cursorAt(at: [number, number]): string {
    const handle = this.handleAt(at);
    if (handle) return `${handle.cursor}-resize`;
    if (this.session.selection.tool === "draw") return "crosshair";
    if (!this.faceAt(at)) return this.viewport.zoom > 1 ? "grab" : "default";
    return this.session.selection.tool === "adjust" ? "move" : "pointer";
  }

  private hover(face: Face | null): void {
    if (this.hovered === face) return;
    this.hovered = face;
    this.paint();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-picture": Picture;
  }
}
