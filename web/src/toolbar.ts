import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { KINDS, type Kind } from "./api.js";
import { icon, iconButton, type IconName } from "./icons.js";
import { Watch } from "./observe.js";
import { VIEWS, type View } from "./player.js";
import type { Tool } from "./selection.js";
import type { Session } from "./session.js";
import type { Page } from "./shortcuts.js";
import { theme } from "./theme.js";

const VIEW_WORDS: Record<View, string> = { boxes: "Boxes", veiled: "Veils", input: "Input" };
const TOOLS: [Tool, IconName, string][] = [
  ["choose", "pointer", "Choose faces (C)"],
  ["adjust", "adjust", "Move and resize boxes (A)"],
  ["draw", "draw", "Draw a box (D)"],
];

/** The tools, the views and the zoom of the picture. */
@customElement("fv-toolbar")
export class Toolbar extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 8px;
        height: 44px;
        padding: 0 12px;
        background: var(--panel);
      }

      .spring {
        flex: 1;
      }

      :host {
        border-bottom: 1px solid var(--line);
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;
  @property({ attribute: false }) page!: Page;
  @property({ type: Boolean }) showsLegend = false;

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["selection", "frame"]);
  }

  override render() {
    const { session } = this;
    return html`
      <span class="group" role="group" aria-label="Tools">
        ${TOOLS.map(
          ([tool, name, label]) =>
            html`<button
              aria-label=${label}
              title=${label}
              aria-pressed=${session.selection.tool === tool}
              @click=${() => {
                session.selection.setTool(tool);
              }}
            >
              ${icon(name)}
            </button>`,
        )}
      </span>
      <select
        aria-label="Kind of the drawn box"
        title="Kind of the drawn box (1 to 6)"
        @change=${(event: Event) => {
          session.selection.setDrawKind((event.target as HTMLSelectElement).value as Kind);
        }}
      >
        ${KINDS.map(
          (kind) => html`<option ?selected=${kind === session.selection.drawKind}>${kind}</option>`,
        )}
      </select>
      <span class="spring"></span>
      <span class="group" role="group" aria-label="View">
        ${VIEWS.map(
          (view) =>
            html`<button
              aria-pressed=${session.player.view === view}
              title="${VIEW_WORDS[view]} (V)"
              @click=${() => {
                session.player.setView(view);
              }}
            >
              ${VIEW_WORDS[view]}
            </button>`,
        )}
      </span>
      <span class="spring"></span>
      <button
        aria-pressed=${this.showsLegend}
        @click=${() => {
          this.dispatchEvent(new Event("legend"));
        }}
      >
        Legend
      </button>
      <span class="group">
        ${iconButton("zoomOut", "Zoom out (-)", () => {
          this.page.zoom(1 / 1.4);
        })}
        ${iconButton("fit", "Whole picture (0)", () => {
          this.page.fit();
        })}
        ${iconButton("zoomIn", "Zoom in (+)", () => {
          this.page.zoom(1.4);
        })}
      </span>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-toolbar": Toolbar;
  }
}
