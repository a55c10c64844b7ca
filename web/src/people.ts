import { LitElement, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { PROVENANCES, type Person, type Sequence } from "./api.js";
import { ask } from "./dialogs.js";
import { icon } from "./icons.js";
import { Watch } from "./observe.js";
import { PERSON_HEIGHT, SEQUENCE_HEIGHT, peopleStyles } from "./people-styles.js";
import type { Session } from "./session.js";
import { PROVENANCE_LOOK, theme } from "./theme.js";

const MARGIN = 400; // pixels beyond the edges for which rows are made

interface PersonRow {
  top: number;
  index: number;
  person: Person | undefined;
}

interface SequenceRow {
  top: number;
  index: number;
  total: number;
  person: Person;
  sequence: Sequence | undefined;
}

type Dragged = { identity: number } | { sequence: number };

/** The list of people. Only the rows in sight exist, however many there are. */
@customElement("fv-people")
export class People extends LitElement {
  static override styles = [theme, peopleStyles];

  @property({ attribute: false }) session!: Session;
  @state() private scrolled = 0;
  @state() private height = 600;
  @state() private renaming: number | null = null;
  @state() private over: number | null = null;
  private open = new Set<number>();
  private dragged: Dragged | null = null;
  private resize = new ResizeObserver(() => {
    this.height = this.clientHeight;
  });

  constructor() {
    super();
    new Watch(this, () => this.session.topics, ["people", "selection", "state"]);
    this.addEventListener("scroll", () => {
      this.scrolled = this.scrollTop;
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.resize.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resize.disconnect();
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("renaming") && this.renaming !== null) {
      this.renderRoot.querySelector<HTMLInputElement>(".name input")?.select();
    }
  }

  override render() {
    const { people } = this.session;
    if (people.loaded && people.total === 0) {
      return html`<div class="empty">
        <b>No faces were found</b>
        Draw a box on what was missed: press D, then drag over the picture.
      </div>`;
    }
    const { rows, height } = this.rows();
    return html`<div class="sheet" role="list" aria-label="People" .style=${`height:${height}px`}>
      ${rows.map((row) => ("sequence" in row ? this.sequenceRow(row) : this.personRow(row)))}
    </div>`;
  }

  // Layout

  /** The rows in sight, and the height of all. */
  private rows(): { rows: (PersonRow | SequenceRow)[]; height: number } {
    const { people } = this.session;
    const opened = [...people.known()]
      .filter(([, person]) => this.open.has(person.identity))
      .sort(([a], [b]) => a - b);
    const from = this.scrolled - MARGIN;
    const to = this.scrolled + this.height + MARGIN;
    const rows: (PersonRow | SequenceRow)[] = [];
    let top = 0;
    let index = 0;
    const addPeople = (end: number) => {
      const first = Math.max(index, index + Math.floor((from - top) / PERSON_HEIGHT));
      const last = Math.min(end, index + Math.ceil((to - top) / PERSON_HEIGHT));
      for (let row = first; row < last; row++) {
        rows.push({ top: top + (row - index) * PERSON_HEIGHT, index: row, person: people.at(row) });
      }
      top += (end - index) * PERSON_HEIGHT;
      index = end;
    };
    for (const [place, person] of opened) {
      addPeople(place + 1);
      const sequences = this.session.sequencesOf(person.identity);
      const total = sequences.loaded ? sequences.total : person.sequences;
      const first = Math.max(0, Math.floor((from - top) / SEQUENCE_HEIGHT));
      const last = Math.min(total, Math.ceil((to - top) / SEQUENCE_HEIGHT));
      for (let row = first; row < last; row++) {
        const sequence = sequences.at(row);
        rows.push({ top: top + row * SEQUENCE_HEIGHT, index: row, total, person, sequence });
      }
      top += total * SEQUENCE_HEIGHT;
    }
    addPeople(people.total);
    return { rows, height: top };
  }

  // Rows

  private personRow({ top, index, person }: PersonRow) {
    const { session } = this;
    const place = `transform:translateY(${top}px)`;
    if (!person) return html`<div class="row person" .style=${place}></div>`;
    const isOpen = this.open.has(person.identity);
    const isSelected = session.selection.face?.identity === person.identity;
    const name = this.session.nameOf(person.identity);
    const times = `${this.session.time(person.first)} – ${this.session.time(person.last)}`;
    const count = `${person.sequences} sequence${person.sequences === 1 ? "" : "s"}`;
    return html`<div
      class="row person ${isSelected ? "selected" : ""} ${
        this.over === person.identity ? "over" : ""
      }"
      role="listitem"
      aria-setsize=${session.people.total}
      aria-posinset=${index + 1}
      aria-label=${`${name}, ${wordOf(person.decision)}`}
      data-identity=${person.identity}
      draggable=${this.renaming === person.identity ? "false" : "true"}
      .style=${place}
      @dragstart=${(event: DragEvent) => {
        this.drag(event, { identity: person.identity });
      }}
      @dragend=${this.dragEnd}
      @dragover=${(event: DragEvent) => {
        this.dragOver(event, person.identity);
      }}
      @dragleave=${() => {
        this.over = null;
      }}
      @drop=${(event: DragEvent) => {
        this.drop(event, person);
      }}
    >
      <button
        class="plain"
        aria-expanded=${isOpen}
        aria-label=${`Sequences of ${name}`}
        @click=${() => {
          this.toggleOpen(person.identity);
        }}
      >
        ${icon(isOpen ? "opened" : "open")}
      </button>
      <div class="name">${this.nameField(person)}</div>
      ${this.decideButton(name, person.decision, () => {
        void session.decidePerson(person.identity, person.decision === "keep" ? "veil" : "keep");
      })}
      <span></span>
      <div class="pictures">${person.pictures.map((picture) => this.picture(picture, name))}</div>
      <div class="side">
        ${person.uncertain ? html`<span class="chip doubt">Uncertain</span>` : nothing}
        ${person.kind === "face" ? nothing : html`<span class="chip">${person.kind}</span>`}
      </div>
      <div class="facts number">
        <div class="reason" title=${person.reason}>${person.reason}</div>
        ${count} · ${times}
      </div>
    </div>`;
  }

  private sequenceRow({ top, index, total, person, sequence }: SequenceRow) {
    const place = `transform:translateY(${top}px)`;
    if (!sequence) return html`<div class="row sequence" .style=${place}></div>`;
    const { session } = this;
    const isSelected = session.selection.face?.sequence === sequence.sequence;
    const label = `Sequence from ${this.session.time(sequence.first)}`;
    return html`<div
      class="row sequence ${isSelected ? "selected" : ""}"
      role="listitem"
      aria-setsize=${total}
      aria-posinset=${index + 1}
      aria-label=${`${label} of ${this.session.nameOf(person.identity)}, ${wordOf(sequence.decision)}`}
      data-sequence=${sequence.sequence}
      draggable="true"
      .style=${place}
      @dragstart=${(event: DragEvent) => {
        this.drag(event, { sequence: sequence.sequence });
      }}
      @dragend=${this.dragEnd}
    >
      ${this.picture({ ...sequence.picture, sequence: sequence.sequence }, label)}
      <div class="what" title=${sequence.reason}>
        <div class="number times">
          ${this.session.time(sequence.first)} – ${this.session.time(sequence.last)}
        </div>
        <div class="reason">shot ${sequence.shot + 1} · ${sequence.reason}</div>
        ${provenanceBar(sequence)}
      </div>
      <button
        class="plain"
        title="Move to another person"
        aria-label=${`Move to another person: ${label}`}
        @click=${() => {
          ask(this, { what: "move-sequence", sequence: sequence.sequence });
        }}
      >
        ${icon("move")}
      </button>
      ${this.decideButton(label, sequence.decision, () => {
        void session.correct({
          op: "decide",
          target: { sequence: sequence.sequence },
          decision: sequence.decision === "keep" ? "veil" : "keep",
        });
      })}
    </div>`;
  }

  private nameField(person: Person) {
    const name = this.session.nameOf(person.identity);
    if (this.renaming !== person.identity) {
      return html`<b
          title="Double-click to rename"
          @dblclick=${() => {
            this.renaming = person.identity;
          }}
          >${name}</b
        ><button
          class="plain"
          aria-label=${`Rename ${name}`}
          title="Rename"
          @click=${() => {
            this.renaming = person.identity;
          }}
        >
          ${icon("name")}
        </button>
        <button
          class="plain"
          aria-label=${`Join ${name} with another person`}
          title="Join with another person"
          @click=${() => {
            ask(this, { what: "join-person", identity: person.identity });
          }}
        >
          ${icon("join")}
        </button>`;
    }
    const finish = (event: Event) => {
      const text = (event.target as HTMLInputElement).value.trim();
      if (this.renaming === null) return;
      this.renaming = null;
      if (text && text !== person.name) {
        void this.session.correct({ op: "name", identity: person.identity, name: text });
      }
    };
    return html`<input
      type="text"
      maxlength="100"
      aria-label=${`Name of ${name}`}
      .value=${person.name ?? ""}
      placeholder=${name}
      @blur=${finish}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === "Enter") finish(event);
        if (event.key === "Escape") this.renaming = null;
      }}
    />`;
  }

  private decideButton(name: string, decision: Person["decision"], act: () => void) {
    const next = decision === "keep" ? "veil" : "keep";
    return html`<button
      class="decide ${decision}"
      aria-label=${`${name} is ${wordOf(decision)}: ${next}`}
      title=${next === "keep" ? "Click to keep visible" : "Click to veil"}
      @click=${act}
    >
      ${icon(decision === "keep" ? "eye" : "veil")} ${capital(wordOf(decision))}
    </button>`;
  }

  private picture(picture: Person["pictures"][number], name: string) {
    return html`<button
      class="picture"
      title=${this.session.time(picture.frame)}
      aria-label=${`Go to ${name} at ${this.session.time(picture.frame)}`}
      @click=${() => {
        this.session.selection.goTo(picture.frame, picture.sequence, picture.box);
      }}
    >
      <fv-crop .session=${this.session} .frame=${picture.frame} .box=${picture.box}></fv-crop>
    </button>`;
  }

  // Actions

  private toggleOpen(identity: number): void {
    if (this.open.has(identity)) {
      this.open.delete(identity);
      this.session.opened.delete(identity);
    } else {
      this.open.add(identity);
    }
    this.requestUpdate();
  }

  private drag(event: DragEvent, dragged: Dragged): void {
    this.dragged = dragged;
    event.dataTransfer!.effectAllowed = "move";
    event.dataTransfer!.setData("text/plain", JSON.stringify(dragged));
  }

  private readonly dragEnd = () => {
    this.dragged = null;
    this.over = null;
  };

  private dragOver(event: DragEvent, identity: number): void {
    if (!this.dragged) return;
    if ("identity" in this.dragged && this.dragged.identity === identity) return;
    event.preventDefault();
    this.over = identity;
  }

  private drop(event: DragEvent, person: Person): void {
    event.preventDefault();
    const { dragged } = this;
    this.dragEnd();
    if (!dragged) return;
    const name = this.session.nameOf(person.identity);
    if ("sequence" in dragged) {
      const move = { op: "move", sequence: dragged.sequence, identity: person.identity } as const;
      void this.session.correct(move, `Moved to ${name}`);
    } else if (dragged.identity !== person.identity) {
      const identities: [number, number] = [dragged.identity, person.identity];
      void this.session.correct({ op: "join", identities }, `Joined with ${name}`);
    }
  }
}

function wordOf(decision: Person["decision"]): string {
  return { keep: "kept", veil: "veiled", mixed: "mixed" }[decision];
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** Which shares of a sequence were detected, filled in, followed, … */
function provenanceBar(sequence: Sequence) {
  const parts = PROVENANCES.filter((word) => sequence.provenance[word]);
  const title = parts.map((word) => `${PROVENANCE_LOOK[word].word}: ${sequence.provenance[word]}`);
  return html`<div class="bar" title=${title.join(", ")}>
    ${parts.map(
      (word) =>
        html`<span
          .style=${`flex:${sequence.provenance[word]};background:${PROVENANCE_LOOK[word].colour}`}
        ></span>`,
    )}
  </div>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-people": People;
  }
}
