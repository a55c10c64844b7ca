import { KINDS } from "./api.js";
import type { Question } from "./dialogs.js";
import { VIEWS } from "./player.js";
import type { Session } from "./session.js";

export interface Shortcut {
  /** As they are shown, separated by spaces. */
  keys: string;
  group: string;
  does: string;
  /** Whether a key press is this shortcut. */
  takes: (event: KeyboardEvent) => boolean;
  run: (event: KeyboardEvent) => void;
}

/** What the shortcuts need of the page around them. */
export interface Page {
  ask: (question: Question) => void;
  zoom: (factor: number) => void;
  fit: () => void;
  showPanel: (panel: "people" | "render") => void;
}

const FIELDS = "input:not([type=checkbox]), textarea, select, dialog";
const PRESSABLE = "button, input[type=checkbox]";

const plain = (event: KeyboardEvent) => !event.ctrlKey && !event.metaKey && !event.altKey;
const command = (event: KeyboardEvent) => (event.ctrlKey || event.metaKey) && !event.altKey;

const key =
  (...names: string[]) =>
  (event: KeyboardEvent) =>
    plain(event) && names.includes(event.key);

/** Letters without regard to case; Shift must be as it is asked for. */
const letter =
  (name: string, shift = false) =>
  (event: KeyboardEvent) =>
    plain(event) && event.key.toLowerCase() === name && event.shiftKey === shift;

/** Every shortcut of the page: what the keys do, and what the help shows. */
export function shortcutsOf(session: Session, page: Page): Shortcut[] {
  const { player, selection } = session;
  const go = [
    at("Space", "Play or pause", key(" "), () => {
      player.toggle();
    }),
    at("← →", "One frame back or on", arrow(false), (event) => {
      player.step(event.key === "ArrowLeft" ? -1 : 1);
    }),
    at("Shift ← →", "Ten frames", arrow(true), (event) => {
      player.step(event.key === "ArrowLeft" ? -10 : 10);
    }),
    at("PgUp PgDn", "Previous or next shot", key("PageUp", "PageDown"), (event) => {
      session.goToShot(event.key === "PageUp" ? -1 : 1);
    }),
    at("Home End", "First or last frame", key("Home", "End"), (event) => {
      player.pause();
      player.show(event.key === "Home" ? 0 : session.frameCount - 1);
    }),
    at("N", "The riskiest stretch not yet looked at", letter("n"), () => {
      void session.goToRiskiest();
    }),
    at("G", "Go to a frame or time", letter("g"), () => {
      page.ask({ what: "go-to" });
    }),
  ];
  const see = [
    at("V", "Boxes, veils, input", letter("v"), () => {
      player.setView(VIEWS[(VIEWS.indexOf(player.view) + 1) % VIEWS.length]!);
    }),
    at("+ -", "Zoom in or out", key("+", "=", "-"), (event) => {
      page.zoom(event.key === "-" ? 1 / 1.4 : 1.4);
    }),
    at("0", "Whole picture", key("0"), () => {
      page.fit();
    }),
    at("P", "The list of people", letter("p"), () => {
      page.showPanel("people");
    }),
    at("R", "Render", letter("r"), () => {
      page.showPanel("render");
    }),
    at("?", "These shortcuts", key("?"), () => {
      page.ask({ what: "shortcuts" });
    }),
  ];
  const choose = [
    at("B", "Select the next box", letter("b"), () => {
      selection.selectNext(1);
    }),
    at("Shift B", "Select the box before", letter("b", true), () => {
      selection.selectNext(-1);
    }),
    at("T", "Keep or veil the person", letter("t"), () => {
      selection.togglePerson();
    }),
    at("Shift T", "Keep or veil this sequence only", letter("t", true), () => {
      selection.toggleSequence();
    }),
    at("M", "Move the sequence to another person", letter("m"), () => {
      const { face } = selection;
      if (face) page.ask({ what: "move-sequence", sequence: face.sequence });
    }),
    at("U", "Use this picture as a reference", letter("u"), () => {
      selection.useAsReference();
    }),
    at("Esc", "Select nothing", key("Escape"), () => {
      selection.setTool("choose");
      selection.select(null);
    }),
  ];
  const correct = [
    at("D", "Draw a box", letter("d"), () => {
      selection.setTool("draw");
    }),
    at(`1…${KINDS.length}`, `Draw: ${KINDS.join(", ")}`, digit, (event) => {
      selection.setDrawKind(KINDS[Number(event.key) - 1]!);
    }),
    at("A", "Move and resize boxes", letter("a"), () => {
      selection.setTool("adjust");
    }),
    at("C", "Choose faces", letter("c"), () => {
      selection.setTool("choose");
    }),
    at(
      "Enter",
      "In the picture: begin a box, send it; arrows move it, Shift resizes it",
      () => false,
    ),
    at("I", "The sequence begins here", letter("i"), () => {
      void selection.setEnd("first", player.frame);
    }),
    at("O", "The sequence ends here", letter("o"), () => {
      void selection.setEnd("last", player.frame);
    }),
    at("S", "Split the sequence here", letter("s"), () => {
      selection.splitHere();
    }),
    at("Delete", "Remove the veil, with a reason", key("Delete", "Backspace", "x"), () => {
      if (selection.face) page.ask({ what: "remove-veil" });
    }),
    at("Ctrl Z", "Undo", isUndo, () => void session.undo()),
    at("Ctrl Shift Z", "Redo", isRedo, () => void session.redo()),
  ];
  return [
    ...grouped("Move through the video", go),
    ...grouped("See", see),
    ...grouped("Choose", choose),
    ...grouped("Correct", correct),
  ];
}

/** The button or checkbox that an event is about. */
export function pressableOf(event: Event): HTMLElement | null {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement ? target.closest(PRESSABLE) : null;
}

/**
 * The page's answer to a key press, or undefined; keys typed into fields are left alone.
 *
 * Space presses a button that was reached by keys. One that the mouse has `clicked` keeps the focus
 * as well, but a person who then presses Space means to play.
 */
export function shortcutOf(
  shortcuts: Shortcut[],
  event: KeyboardEvent,
  clicked: HTMLElement | null,
): Shortcut | undefined {
  const target = event.composedPath()[0];
  if (target instanceof HTMLElement && target.closest(FIELDS)) return undefined;
  const pressable = pressableOf(event);
  if (pressable && event.key === "Enter") return undefined;
  if (pressable && event.key === " ") {
    if (pressable !== clicked) return undefined;
    pressable.blur(); // or it would be pressed when the key is released
  }
  return shortcuts.find(({ takes }) => takes(event));
}

type Bare = Omit<Shortcut, "group">;

function at(
  keys: string,
  does: string,
  takes: Shortcut["takes"],
  run: Shortcut["run"] = () => undefined,
): Bare {
  return { keys, does, takes, run };
}

function grouped(group: string, shortcuts: Bare[]): Shortcut[] {
  return shortcuts.map((shortcut) => ({ ...shortcut, group }));
}

function arrow(shift: boolean) {
  const is = key("ArrowLeft", "ArrowRight");
  return (event: KeyboardEvent) => is(event) && event.shiftKey === shift;
}

function digit(event: KeyboardEvent): boolean {
  return plain(event) && /^[1-9]$/.test(event.key) && Number(event.key) <= KINDS.length;
}

function isUndo(event: KeyboardEvent): boolean {
  return command(event) && event.key.toLowerCase() === "z" && !event.shiftKey;
}

function isRedo(event: KeyboardEvent): boolean {
  const name = event.key.toLowerCase();
  return command(event) && ((name === "z" && event.shiftKey) || name === "y");
}
