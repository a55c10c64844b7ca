import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Face } from "./boxes.js";
import { ask } from "./dialogs.js";
import { icon, type IconName } from "./icons.js";
import { Watch } from "./observe.js";
import type { Session } from "./session.js";
import { PROVENANCE_LOOK, theme } from "./theme.js";

/** What the selected box is, and what can be done to it. */
@customElement("fv-selection-bar")
export class SelectionBar extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 8px;
        height: 52px;
        padding: 0 12px;
        border-top: 1px solid var(--line);
        background: var(--panel);
        overflow: hidden;
      }

      .what {
        flex: 1;
        min-width: 0;
      }

      .what > div {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }

      .what .muted {
        font-size: 12px;
      }

      fv-crop {
        width: 40px;
        height: 40px;
        flex: none;
      }

      button {
        padding: 0 8px;
      }

      @media (max-width: 1500px) {
        .few .word {
          display: none;
        }
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["selection", "frame", "boxes", "people"]);
  }

  override render() {
    const { session } = this;
    const { face } = session.selection;
    if (!face) {
      return html`<p class="muted">
        Click a face to keep or veil its person. Hold Shift to select it only, Alt to decide this
        sequence alone. Press <kbd>D</kbd> to draw what was missed.
      </p>`;
    }
    const extent = session.selection.sequence;
    const name = session.nameOf(face.identity);
    return html`<fv-crop
        .session=${session}
        .frame=${session.selection.frame}
        .box=${face.box}
      ></fv-crop>
      <div class="what">
        <div>
          <b>${name}</b>
          <span class="chip ${face.veiled ? "" : "keep"}">${face.veiled ? "Veiled" : "Kept"}</span>
          ${extent?.uncertain ? html`<span class="chip doubt">Uncertain</span>` : nothing}
        </div>
        <div class="muted number">${this.facts(face)}</div>
      </div>
      ${this.button(
        face.veiled ? "eye" : "veil",
        face.veiled ? "Keep person" : "Veil person",
        "T",
        () => {
          session.selection.togglePerson();
        },
      )}
      ${this.button("check", face.veiled ? "Keep only here" : "Veil only here", "Shift T", () => {
        session.selection.toggleSequence();
      })}
      <span class="group few">
        ${this.button("begin", "Begin here", "I", () => void session.selection.setEnd("first", session.player.frame))}
        ${this.button("split", "Split here", "S", () => {
          session.selection.splitHere();
        })}
        ${this.button("finish", "End here", "O", () => void session.selection.setEnd("last", session.player.frame))}
      </span>
      <span class="group few">
        ${this.button("move", "Move to…", "M", () => {
          ask(this, { what: "move-sequence", sequence: face.sequence });
        })}
        ${this.button("picture", "Use this picture", "U", () => {
          session.selection.useAsReference();
        })}
      </span>
      ${this.button("remove", "Remove veil…", "Delete", () => {
        ask(this, { what: "remove-veil" });
      })}`;
  }

  private facts(face: Face): string {
    const extent = this.session.selection.sequence;
    const source = PROVENANCE_LOOK[face.provenance].word;
    const score = face.score > 0 ? ` ${face.score.toFixed(2)}` : "";
    const times = extent
      ? `${this.session.time(extent.first)} – ${this.session.time(extent.last)}`
      : "…";
    return [face.kind, source + score, times, extent?.reason].filter(Boolean).join(" · ");
  }

  private button(name: IconName, label: string, key: string, act: () => void) {
    return html`<button title=${`${label} (${key})`} aria-label=${label} @click=${act}>
      ${icon(name)}<span class="word">${label}</span>
    </button>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-selection-bar": SelectionBar;
  }
}
