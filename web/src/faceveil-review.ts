import { LitElement, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { Api, ApiError } from "./api.js";
import "./crop.js";
import "./dialogs.js";
import type { Dialog, Question } from "./dialogs.js";
import { icon } from "./icons.js";
import { layout } from "./layout.js";
import { legend } from "./legend.js";
import "./people.js";
import type { Picture } from "./picture.js";
import "./picture.js";
import "./render-panel.js";
import "./selection-bar.js";
import { Session } from "./session.js";
import { pressableOf, shortcutOf, shortcutsOf, type Page, type Shortcut } from "./shortcuts.js";
import { theme } from "./theme.js";
import "./timeline.js";
import "./toolbar.js";
import "./transport.js";
import { percent, timecode } from "./timecode.js";

/**
 * The review studio as one element.
 *
 * `base` is the address under which the server answers `api/v1/`, and `token` is sent with every
 * request where the page is embedded and no cookie can stand for it.
 */
@customElement("faceveil-review")
export class FaceveilReview extends LitElement {
  static override styles = [theme, layout];

  @property() base = "";
  @property() token = "";
  @state() private session: Session | null = null;
  @state() private failure: ApiError | null = null;
  @state() private panel: "people" | "render" = "people";
  @state() private showsLegend = false;
  @query("fv-picture") private picture!: Picture;
  @query("fv-dialog") private dialog!: Dialog;
  private shortcuts: Shortcut[] = [];
  private readonly page: Page = {
    ask: (question) => {
      this.ask(question);
    },
    zoom: (factor) => {
      this.picture.zoom(factor);
    },
    fit: () => {
      this.picture.fit();
    },
    showPanel: (panel) => {
      this.panel = panel;
    },
  };
  private stopWatching: (() => void)[] = [];
  /** What the mouse has pressed, until Tab moves the focus. */
  private clicked: HTMLElement | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.key);
    document.addEventListener("click", this.noteClick);
    window.addEventListener("pagehide", this.leave);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.key);
    document.removeEventListener("click", this.noteClick);
    window.removeEventListener("pagehide", this.leave);
    this.close();
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("base") || changed.has("token")) void this.open();
  }

  private async open(): Promise<void> {
    this.close();
    try {
      const session = await Session.open(new Api(this.base, this.token));
      this.session = session;
      this.failure = null;
      this.shortcuts = shortcutsOf(session, this.page);
      const update = () => {
        this.requestUpdate();
      };
      this.stopWatching = (["state", "frame", "people", "tasks"] as const).map((topic) =>
        session.topics.on(topic, update),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failure = error;
    }
  }

  private close(): void {
    for (const stop of this.stopWatching) stop();
    this.stopWatching = [];
    this.session?.end();
    this.session = null;
  }

  private readonly leave = () => {
    void this.session?.player.reportLooked();
  };

  private readonly noteClick = (event: MouseEvent) => {
    this.clicked = event.detail > 0 ? pressableOf(event) : null; // keys click with detail 0
  };

  private readonly key = (event: KeyboardEvent) => {
    if (event.key === "Tab") this.clicked = null;
    const isOurs = event.composedPath().includes(this) || event.target === document.body;
    if (!isOurs || !this.session || this.dialog.isOpen) return;
    const shortcut = shortcutOf(this.shortcuts, event, this.clicked);
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run(event);
  };

  private ask(question: Question): void {
    this.session?.player.pause();
    this.dialog.ask(question);
  }

  override render() {
    if (this.failure) return this.failed(this.failure);
    const { session } = this;
    if (!session) return html`<p class="centre muted">Opening the video…</p>`;
    return html`<div
      class="studio"
      @ask=${(event: CustomEvent<Question>) => {
        this.ask(event.detail);
      }}
    >
      ${this.header(session)} ${this.banner(session)} ${this.sidebar(session)}
      <main>
        <div class="stage">
          <fv-toolbar
            .session=${session}
            .page=${this.page}
            .showsLegend=${this.showsLegend}
            @legend=${() => {
              this.showsLegend = !this.showsLegend;
            }}
          ></fv-toolbar>
          <fv-picture .session=${session}></fv-picture>
          ${this.overlays(session)}
        </div>
        <fv-selection-bar .session=${session}></fv-selection-bar>
      </main>
      <footer>
        <fv-transport .session=${session}></fv-transport>
        <fv-timeline .session=${session}></fv-timeline>
      </footer>
      <fv-dialog .session=${session} .shortcuts=${this.shortcuts}></fv-dialog>
      <div class="notices" role="status">
        ${
          session.notice
            ? html`<p class=${session.notice.isError ? "error" : ""}>${session.notice.text}</p>`
            : nothing
        }
      </div>
    </div>`;
  }

  private failed(error: ApiError) {
    const isRefused = error.status === 401 || error.status === 403;
    return html`<div class="centre">
      <h1>${isRefused ? "This page needs its token" : "The video cannot be opened"}</h1>
      <p class="muted">
        ${
          isRefused
            ? "Open the address that faceveil review printed, with all that follows ?token=."
            : error.message
        }
      </p>
      <button @click=${() => void this.open()}>Try again</button>
    </div>`;
  }

  private header(session: Session) {
    const { video, can_undo, can_redo, reviewer } = session.state;
    const left = session.riskLeft;
    return html`<header>
      <h1 title=${video.name}>${video.name}</h1>
      <span class="muted number facts"
        >${video.width} × ${video.height} · ${Number(video.rate.toFixed(3))} frames/s ·
        ${timecode(video.frame_count, video.rate)}</span
      >
      <span class="spring"></span>
      ${
        left === null
          ? nothing
          : html`<label class="risk" title="The share of the risk that has not been looked at">
              <span class="muted">Risk left</span>
              <progress max="1" .value=${left} aria-label="Risk left"></progress>
              <span class="number">${percent(left)}</span>
            </label>`
      }
      <button
        class="main"
        title="The worst stretch not yet looked at (N)"
        @click=${() => void session.goToRiskiest()}
      >
        ${icon("next")}Next
      </button>
      <span class="group">
        <button
          ?disabled=${!can_undo}
          aria-label="Undo"
          title="Undo (Ctrl Z)"
          @click=${() => void session.undo()}
        >
          ${icon("undo")}
        </button>
        <button
          ?disabled=${!can_redo}
          aria-label="Redo"
          title="Redo (Ctrl Shift Z)"
          @click=${() => void session.redo()}
        >
          ${icon("redo")}
        </button>
      </span>
      <span class="muted reviewer" title="Corrections are saved under this name">${reviewer}</span>
      <button
        class="plain"
        aria-label="Shortcuts"
        title="Shortcuts (?)"
        @click=${() => {
          this.ask({ what: "shortcuts" });
        }}
      >
        ${icon("help")}
      </button>
    </header>`;
  }

  private banner(session: Session) {
    const text = {
      connecting: "",
      open: "",
      lost: "The connection is lost. What you corrected is saved; trying again…",
      closed:
        "The review server has ended. What you corrected is saved: run faceveil review again.",
      refused: "The server does not know this page any more: open the address it prints.",
    }[session.connection];
    return html`<div class="banner" role="alert" ?hidden=${!text}>${icon("warning")}${text}</div>`;
  }

  private sidebar(session: Session) {
    const tab = (panel: typeof this.panel, label: unknown) =>
      html`<button
        role="tab"
        id=${`tab-${panel}`}
        aria-controls="panel"
        aria-selected=${this.panel === panel}
        @click=${() => {
          this.panel = panel;
        }}
      >
        ${label}
      </button>`;
    const { findings, people } = session;
    return html`<aside>
      <div class="tabs" role="tablist" aria-label="Panels">
        ${tab("people", html`People <span class="muted number">${people.total || ""}</span>`)}
        ${tab(
          "render",
          html`Render
          ${findings.length > 0 ? html`<span class="chip alarm">${findings.length}</span>` : nothing}`,
        )}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby=${`tab-${this.panel}`}>
        ${
          this.panel === "people"
            ? html`<fv-people .session=${session}></fv-people>`
            : html`<fv-render-panel .session=${session}></fv-render-panel>`
        }
      </div>
    </aside>`;
  }

  private overlays(session: Session) {
    const tasks = session.state.tasks.filter(({ state }) => state === "running");
    const { stretch } = session;
    return html`<div class="overlays">
      ${tasks.map(
        (task) =>
          html`<div class="card" role="status">
            <span
              >${{ follow: "Following", render: "Rendering", verify: "Verifying" }[task.kind]}</span
            >
            <progress
              max="1"
              .value=${task.total > 0 ? task.done / task.total : 0}
              aria-label=${task.kind}
            ></progress>
            <button
              class="plain"
              aria-label="Cancel"
              title="Cancel"
              @click=${() => void session.cancel(task)}
            >
              ${icon("close")}
            </button>
          </div>`,
      )}
      ${
        stretch && within(session.player.frame, stretch)
          ? html`<div class="card">
              <span class="chip alarm">Risk ${percent(stretch.risk)}</span
              >${stretch.reasons.join(", ")}
            </div>`
          : nothing
      }
      ${this.showsLegend ? legend() : nothing}
    </div>`;
  }
}

function within(frame: number, stretch: { first: number; last: number }): boolean {
  return frame >= stretch.first && frame <= stretch.last;
}

declare global {
  interface HTMLElementTagNameMap {
    "faceveil-review": FaceveilReview;
  }
}
