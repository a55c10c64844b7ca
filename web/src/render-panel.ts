import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Finding, Person, Task } from "./api.js";
import { icon } from "./icons.js";
import { Watch } from "./observe.js";
import type { Session } from "./session.js";
import { theme } from "./theme.js";
import { percent, remaining, timecode } from "./timecode.js";

const FILES = [
  ["output", "The veiled video"],
  ["report.html", "Report to read"],
  ["report.json", "Report as data"],
  ["keyframes.json", "Keyframes"],
  ["corrections.json", "Corrections"],
] as const;
const LISTED = 500; // findings

/** Who stays visible, the style, rendering and its verification, what can be downloaded. */
@customElement("fv-render-panel")
export class RenderPanel extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
        flex: 1;
        min-height: 0;
        overflow-y: auto;
        padding: 4px 16px 24px;
      }

      section {
        padding: 14px 0;
        border-bottom: 1px solid var(--line);
      }

      section:last-child {
        border-bottom: 0;
      }

      h2 {
        margin-bottom: 8px;
      }

      .kept {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
      }

      .kept > div {
        width: 64px;
        overflow: hidden;
        text-align: center;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-size: 12px;
      }

      .kept fv-crop {
        width: 64px;
        height: 64px;
      }

      .line {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 8px;
        min-height: 32px;
      }

      .main {
        width: 100%;
        min-height: 34px;
        margin-top: 10px;
      }

      .warning {
        display: flex;
        gap: 8px;
        margin-top: 8px;
        color: var(--doubt);
      }

      .good {
        display: flex;
        gap: 8px;
        color: var(--keep);
      }

      .bad {
        display: flex;
        gap: 8px;
        margin-bottom: 6px;
        color: var(--alarm);
      }

      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }

      li button {
        width: 100%;
        height: auto;
        min-height: 32px;
        justify-content: flex-start;
        text-align: left;
        white-space: normal;
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;
  @state() private chosenStyle = "";
  @state() private withMatte = false;

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["tasks", "people", "state"]);
  }

  override render() {
    const task = this.session.state.tasks.findLast(({ kind }) => kind !== "follow");
    return html`${this.keptPeople()} ${this.renderSection(task)} ${this.result(task)}
    ${this.downloads()}`;
  }

  private keptPeople() {
    const isWhole = this.session.people.loadMore();
    const people: Person[] = [];
    for (const [, person] of this.session.people.known()) {
      if (person.decision !== "veil") people.push(person);
    }
    return html`<section>
      <h2>Visible in the output</h2>
      ${isWhole ? nothing : html`<p class="muted">Looking through the list of people…</p>`}
      ${
        people.length === 0
          ? html`<p class="muted">Nobody is kept: every face is veiled.</p>`
          : html`<div class="kept">
              ${people.map(
                ({ identity, pictures, decision }) =>
                  html`<div>
                    ${pictures
                      .slice(0, 1)
                      .map(
                        ({ frame, box }) =>
                          html`<fv-crop
                            .session=${this.session}
                            .frame=${frame}
                            .box=${box}
                          ></fv-crop>`,
                      )}
                    ${this.session.nameOf(identity)}
                    ${decision === "mixed" ? html`<span class="chip doubt">in part</span>` : nothing}
                  </div>`,
              )}
            </div>`
      }
    </section>`;
  }

  private renderSection(task: Task | undefined) {
    const { session } = this;
    const { styles, style, unresolved } = session.state;
    if (task?.state === "running") {
      const word = task.kind === "render" ? "Rendering" : "Verifying";
      const share = task.total > 0 ? task.done / task.total : 0;
      return html`<section aria-live="polite">
        <h2>${word}… ${percent(share)}</h2>
        <progress max="1" .value=${share} aria-label=${word}></progress>
        <div class="line muted number">
          ${task.done} of ${task.total}
          ${task.eta_s === null ? nothing : ` · ${remaining(task.eta_s)}`}
          <button @click=${() => void session.cancel(task)}>Cancel</button>
        </div>
      </section>`;
    }
    const left = session.riskLeft;
    return html`<section>
      <h2>Render</h2>
      <label class="line"
        >Veil style
        <select
          @change=${(event: Event) => {
            this.chosenStyle = (event.target as HTMLSelectElement).value;
          }}
        >
          ${styles.map(
            (name) =>
              html`<option ?selected=${name === (this.chosenStyle || style)}>${name}</option>`,
          )}
        </select>
      </label>
      <label class="choice">
        <input
          type="checkbox"
          .checked=${this.withMatte}
          @change=${(event: Event) => {
            this.withMatte = (event.target as HTMLInputElement).checked;
          }}
        />Matte for editing programs
      </label>
      ${
        left !== null && left > 0.05
          ? html`<p class="warning">
              ${icon("warning")}${percent(left)} of the risk has not been looked at. Press N to go
              to the worst stretch.
            </p>`
          : nothing
      }
      ${unresolved.map((text) => html`<p class="warning">${icon("warning")}${text}</p>`)}
      <button
        class="main"
        @click=${() => void session.render(this.chosenStyle || style, this.withMatte)}
      >
        Render and verify
      </button>
    </section>`;
  }

  private result(task: Task | undefined) {
    const { findings, state } = this.session;
    const message =
      task?.state === "failed"
        ? html`<p class="bad">${icon("warning")}${task.message ?? "Rendering failed."}</p>`
        : task?.state === "cancelled"
          ? html`<p class="muted">Rendering was cancelled.</p>`
          : nothing;
    const isVerified = state.output?.verified === true && findings.length === 0;
    return html`<section ?hidden=${message === nothing && findings.length === 0 && !isVerified}>
      <h2>Verification</h2>
      ${message}
      ${
        isVerified
          ? html`<p class="good">${icon("check")}The networks found no face that shows.</p>`
          : nothing
      }
      ${
        findings.length > 0
          ? html`<p class="bad">
                ${icon("warning")}${findings.length} finding${findings.length === 1 ? "" : "s"}:
                look at each, correct, and render again.
              </p>
              <ul>
                ${findings.slice(0, LISTED).map((finding) => this.finding(finding))}
              </ul>`
          : nothing
      }
    </section>`;
  }

  private finding({ frame, what }: Finding) {
    return html`<li>
      <button
        class="plain"
        @click=${() => {
          this.session.player.pause();
          this.session.player.show(frame);
        }}
      >
        <span class="number muted">${timecode(frame, this.session.state.video.rate)}</span>${what}
      </button>
    </li>`;
  }

  private downloads() {
    const { output } = this.session.state;
    if (!output?.ready) return nothing;
    const matte = this.withMatte ? ([["matte", "Matte"]] as const) : [];
    return html`<section>
      <h2>Download</h2>
      <ul>
        ${[...FILES, ...matte].map(
          ([path, label]) =>
            html`<li>
              <button class="plain" @click=${() => void this.download(path)}>
                ${icon("download")}${label}
              </button>
            </li>`,
        )}
      </ul>
    </section>`;
  }

  private async download(path: string): Promise<void> {
    const name = path === "output" ? this.session.state.video.name : path;
    await this.session.api.download(path, name);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-render-panel": RenderPanel;
  }
}
