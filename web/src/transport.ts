import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { ask } from "./dialogs.js";
import { iconButton } from "./icons.js";
import { Watch } from "./observe.js";
import { SPEEDS } from "./player.js";
import type { Session } from "./session.js";
import { theme } from "./theme.js";
import { timecode } from "./timecode.js";

/** Play, step, speed, and where the video stands. */
@customElement("fv-transport")
export class Transport extends LitElement {
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

      .time {
        font-size: 15px;
        font-weight: 600;
      }

      .key {
        margin: 0;
        padding: 0;
        list-style: none;
        display: flex;
        gap: 14px;
        color: var(--muted);
        font-size: 12px;
      }

      .key li {
        display: flex;
        align-items: center;
        gap: 5px;
      }

      .key i {
        width: 10px;
        height: 10px;
        border-radius: 2px;
      }

      .risk-key {
        background: linear-gradient(90deg, #5c6f86, #e0913f, #ff7a6b);
      }

      .faces-key {
        background: #59616b;
      }

      .looked-key {
        background: #7fb2ff;
      }

      .key .finding-key {
        width: 8px;
        height: 8px;
        background: #ff6b61;
        transform: rotate(45deg);
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["frame"]);
  }

  override render() {
    const { session } = this;
    const { player } = session;
    const { rate } = session.state.video;
    return html`
      <span class="group">
        ${iconButton("previousShot", "Previous shot (Page ↑)", () => {
          session.goToShot(-1);
        })}
        ${iconButton("back", "One frame back (←)", () => {
          player.step(-1);
        })}
        ${iconButton(
          player.playing ? "pause" : "play",
          player.playing ? "Pause (Space)" : "Play (Space)",
          () => {
            player.toggle();
          },
        )}
        ${iconButton("forward", "One frame on (→)", () => {
          player.step(1);
        })}
        ${iconButton("nextShot", "Next shot (Page ↓)", () => {
          session.goToShot(1);
        })}
      </span>
      <select
        aria-label="Speed"
        title="Speed"
        @change=${(event: Event) => {
          player.setSpeed(Number((event.target as HTMLSelectElement).value));
        }}
      >
        ${SPEEDS.map(
          (speed) =>
            html`<option value=${speed} ?selected=${speed === player.speed}>${speed} ×</option>`,
        )}
      </select>
      <button
        class="plain number time"
        title="Go to (G)"
        @click=${() => {
          ask(this, { what: "go-to" });
        }}
      >
        ${timecode(player.frame, rate)}
      </button>
      <span class="muted number">frame ${player.frame} of ${session.frameCount}</span>
      <span class="spring"></span>
      <ul class="key" aria-label="Legend of the timeline">
        <li><i class="risk-key"></i>risk</li>
        <li><i class="faces-key"></i>faces</li>
        <li><i class="looked-key"></i>looked at</li>
        <li><i class="finding-key"></i>finding</li>
      </ul>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-transport": Transport;
  }
}
