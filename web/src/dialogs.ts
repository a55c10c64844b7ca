import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Person } from "./api.js";
import type { Session } from "./session.js";
import type { Shortcut } from "./shortcuts.js";
import { theme } from "./theme.js";

export type Question =
  | { what: "move-sequence"; sequence: number }
  | { what: "join-person"; identity: number }
  | { what: "remove-veil" }
  | { what: "go-to" }
  | { what: "shortcuts" };

/** Asks the page around an element to open a dialog. */
export function ask(from: HTMLElement, question: Question): void {
  from.dispatchEvent(new CustomEvent("ask", { detail: question, bubbles: true, composed: true }));
}

const REASONS = ["Nothing is there", "A picture, poster or screen", "An object that is not a face"];
const LISTED = 200; // people that a choice shows; the name narrows it

/** The dialogs of the page, one at a time. */
@customElement("fv-dialog")
export class Dialog extends LitElement {
  static override styles = [
    theme,
    css`
      dialog.wide {
        width: min(760px, calc(100vw - 48px));
      }

      ul {
        max-height: 320px;
        margin: 8px 0 0;
        padding: 0;
        overflow-y: auto;
        list-style: none;
      }

      li button {
        width: 100%;
        height: 56px;
        justify-content: flex-start;
        border-color: transparent;
        background: none;
      }

      .columns {
        columns: 2;
        column-gap: 32px;
      }

      section {
        break-inside: avoid;
        margin-bottom: 16px;
      }

      section h3 {
        margin-bottom: 4px;
        color: var(--muted);
        font-size: 12px;
        font-weight: 600;
      }

      section div {
        display: flex;
        justify-content: space-between;
        gap: 12px;
        padding: 2px 0;
      }

      kbd + kbd {
        margin-left: 3px;
      }
    `,
  ];

  @property({ attribute: false }) session!: Session;
  @property({ attribute: false }) shortcuts: Shortcut[] = [];
  @state() private question: Question | null = null;
  @state() private filter = "";
  @query("dialog") private dialog!: HTMLDialogElement;

  ask(question: Question): void {
    this.filter = "";
    this.question = question;
  }

  get isOpen(): boolean {
    return this.question !== null;
  }

  override render() {
    if (!this.question) return nothing;
    return html`<dialog
      class=${this.question.what === "shortcuts" ? "wide" : ""}
      aria-labelledby="title"
      @close=${this.closed}
    >
      ${this.content(this.question)}
    </dialog>`;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("question") && this.question && !this.dialog.open) this.dialog.showModal();
  }

  private content(question: Question) {
    switch (question.what) {
      case "move-sequence":
        return this.choice("Move this sequence to", (identity) => {
          void this.session.correct({ op: "move", sequence: question.sequence, identity });
        });
      case "join-person":
        return this.choice(
          `Join ${this.session.nameOf(question.identity)} with`,
          (identity) => {
            if (identity === null) return;
            const identities: [number, number] = [question.identity, identity];
            void this.session.correct({ op: "join", identities });
          },
          question.identity,
        );
      case "remove-veil":
        return this.removal();
      case "go-to":
        return this.goTo();
      case "shortcuts":
        return this.help();
    }
  }

  /** A list of people to choose from; without `except` a new person can be made. */
  private choice(title: string, choose: (identity: number | null) => void, except?: number) {
    if (!this.session.people.loadMore()) {
      setTimeout(() => {
        this.requestUpdate();
      }, 200);
    }
    const word = this.filter.toLowerCase();
    const people: Person[] = [];
    for (const [, person] of this.session.people.known()) {
      const isNamed = this.session.nameOf(person.identity).toLowerCase().includes(word);
      if (person.identity !== except && isNamed && people.length < LISTED) people.push(person);
    }
    const pick = (identity: number | null) => () => {
      this.dialog.close();
      choose(identity);
    };
    return html`<h2 id="title">${title}</h2>
      <input
        type="text"
        aria-label="Find by name"
        placeholder="Find by name"
        @input=${(event: Event) => {
          this.filter = (event.target as HTMLInputElement).value;
        }}
      />
      <ul>
        ${
          except === undefined
            ? html`<li><button @click=${pick(null)}>A new person of its own</button></li>`
            : nothing
        }
        ${people.map(
          (person) =>
            html`<li>
              <button @click=${pick(person.identity)}>
                ${person.pictures
                  .slice(0, 1)
                  .map(
                    ({ frame, box }) =>
                      html`<fv-crop
                        .session=${this.session}
                        .frame=${frame}
                        .box=${box}
                      ></fv-crop>`,
                  )}
                ${this.session.nameOf(person.identity)}
              </button>
            </li>`,
        )}
      </ul>
      ${this.cancelRow()}`;
  }

  private removal() {
    const submit = (event: SubmitEvent) => {
      event.preventDefault();
      const data = new FormData(event.target as HTMLFormElement);
      const written = (data.get("other") as string).trim();
      const why = written || (data.get("why") as string);
      this.dialog.close();
      this.session.selection.removeVeil(data.get("range") as "all" | "on" | "here", why);
    };
    return html`<form @submit=${submit}>
      <h2 id="title">Remove this veil</h2>
      <fieldset>
        <legend>Why? The report names the reason.</legend>
        ${REASONS.map(
          (reason, index) =>
            html`<label class="choice">
              <input type="radio" name="why" value=${reason} ?checked=${index === 0} />${reason}
            </label>`,
        )}
        <input
          type="text"
          name="other"
          maxlength="300"
          aria-label="Another reason"
          placeholder="Another reason"
        />
      </fieldset>
      <fieldset>
        <legend>On which frames?</legend>
        <label class="choice"
          ><input type="radio" name="range" value="all" checked />All of this sequence</label
        >
        <label class="choice"
          ><input type="radio" name="range" value="on" />From this frame on</label
        >
        <label class="choice"
          ><input type="radio" name="range" value="here" />This frame only</label
        >
      </fieldset>
      ${this.cancelRow(html`<button class="main" type="submit">Remove veil</button>`)}
    </form>`;
  }

  private goTo() {
    const submit = (event: SubmitEvent) => {
      event.preventDefault();
      const data = new FormData(event.target as HTMLFormElement);
      if (this.session.goTo((data.get("place") as string).trim())) this.dialog.close();
    };
    return html`<form @submit=${submit}>
      <h2 id="title">Go to</h2>
      <input
        type="text"
        name="place"
        autofocus
        aria-label="Frame number or time"
        placeholder="Frame number, or time such as 1:02:30"
      />
      ${this.cancelRow(html`<button class="main" type="submit">Go</button>`)}
    </form>`;
  }

  private help() {
    const groups = [...new Set(this.shortcuts.map(({ group }) => group))];
    return html`<h2 id="title">Shortcuts</h2>
      <div class="columns">
        ${groups.map(
          (group) =>
            html`<section>
              <h3>${group}</h3>
              ${this.shortcuts
                .filter((shortcut) => shortcut.group === group)
                .map(
                  ({ keys, does }) =>
                    html`<div>
                      <span>${does}</span>
                      <span>${keys.split(" ").map((key) => html`<kbd>${key}</kbd>`)}</span>
                    </div>`,
                )}
            </section>`,
        )}
      </div>
      <form method="dialog" class="actions"><button class="main">Close</button></form>`;
  }

  private cancelRow(main: unknown = nothing) {
    return html`<div class="actions">
      <button
        type="button"
        @click=${() => {
          this.dialog.close();
        }}
      >
        Cancel
      </button>
      ${main}
    </div>`;
  }

  private readonly closed = () => {
    this.question = null;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-dialog": Dialog;
  }
}
