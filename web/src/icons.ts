import { html, type TemplateResult } from "lit";

/** Paths on a grid of 24 by 24. */
const PATHS = {
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m15 14 5-5-5-5M20 9H10a6 6 0 0 0 0 12h3",
  play: "M7 4v16l13-8z",
  pause: "M7 5v14M17 5v14",
  back: "M15 5l-8 7 8 7z",
  forward: "M9 5l8 7-8 7z",
  previousShot: "M6 5v14M19 5l-9 7 9 7z",
  nextShot: "M18 5v14M5 5l9 7-9 7z",
  next: "M12 3 2 20h20zM12 10v4M12 17v.1",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  veil: "M3 5h18v14H3zM3 10h18M3 14h18M8 5v14M13 5v14M18 5v14",
  pointer: "m5 3 6 17 2.5-7L20 10.5z",
  adjust: "M4 4h4M4 4v4M20 4h-4M20 4v4M4 20h4M4 20v-4M20 20h-4M20 20v-4M12 8v8M8 12h8",
  draw: "M4 4h12v12H4zM19 15v6M16 18h6",
  zoomIn: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5M11 8v6M8 11h6",
  zoomOut: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5M8 11h6",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .9-1 1.7M12 16.8v.1",
  open: "m9 6 6 6-6 6",
  opened: "m6 9 6 6 6-6",
  name: "M4 20h4L19 9l-4-4L4 16z",
  join: "M7 5v6a5 5 0 0 0 5 5 5 5 0 0 0 5-5V5M12 16v5",
  split: "M12 3v18M5 8l-3 4 3 4M19 8l3 4-3 4",
  move: "M4 12h13M12 6l6 6-6 6",
  begin: "M5 4v16M20 12H9M13 8l-4 4 4 4",
  finish: "M19 4v16M4 12h11M11 8l4 4-4 4",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9v.1",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  warning: "M12 3 2 20h20zM12 10v4M12 17v.1",
  check: "m5 12 5 5L20 7",
  close: "M6 6l12 12M18 6 6 18",
} as const;

export type IconName = keyof typeof PATHS;

/** A decorative icon; the button that holds it has a label of its own. */
export function icon(name: IconName): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]}></path></svg>`;
}

/** A button that shows an icon only; its label may end in its key, "Pause (Space)". */
export function iconButton(name: IconName, label: string, act: () => void): TemplateResult {
  return html`<button aria-label=${label} title=${label} @click=${act}>${icon(name)}</button>`;
}
