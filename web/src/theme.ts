import { css } from "lit";

/** What every part of the page shares: colours, type, buttons, chips, fields, dialogs. */
export const theme = css`
  :host {
    --ground: #141517;
    --panel: #1b1d20;
    --raised: #25282c;
    --hover: #2f3338;
    --line: #34383e;
    --text: #e8e9eb;
    --muted: #a6acb4;
    --accent: #7fb2ff;
    --keep: #6fd39b;
    --veil: #c9ced6;
    --doubt: #f2c14e;
    --alarm: #ff8d85;
    --radius: 6px;
    font:
      13px/1.4 system-ui,
      "Segoe UI",
      "Helvetica Neue",
      Arial,
      sans-serif;
    color: var(--text);
  }

  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  [hidden] {
    display: none !important;
  }

  h2,
  h3,
  p {
    margin: 0;
  }

  h2 {
    font-size: 13px;
    font-weight: 600;
  }

  .number {
    font-variant-numeric: tabular-nums;
  }

  .muted {
    color: var(--muted);
  }

  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--raised);
  }

  button,
  select {
    min-height: 28px;
    padding: 0 10px;
    cursor: pointer;
  }

  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    white-space: nowrap;
  }

  button:hover:not(:disabled),
  select:hover:not(:disabled) {
    background: var(--hover);
  }

  button:disabled,
  select:disabled {
    opacity: 0.45;
    cursor: default;
  }

  button.plain {
    border-color: transparent;
    background: transparent;
    padding: 0 6px;
  }

  button.plain:hover:not(:disabled) {
    background: var(--hover);
  }

  button.main {
    border-color: transparent;
    background: var(--accent);
    color: #0b1a30;
    font-weight: 600;
  }

  button.main:hover:not(:disabled) {
    background: #a3c8ff;
  }

  button[aria-pressed="true"],
  button[aria-selected="true"] {
    background: #2c4567;
    border-color: #4a78b5;
  }

  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }

  svg {
    flex: none;
    width: 16px;
    height: 16px;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.75;
    stroke-linecap: round;
    stroke-linejoin: round;
  }

  .group {
    display: inline-flex;
  }

  .group > button {
    border-radius: 0;
    margin-left: -1px;
  }

  .group > button:first-child {
    margin-left: 0;
    border-radius: var(--radius) 0 0 var(--radius);
  }

  .group > button:last-child {
    border-radius: 0 var(--radius) var(--radius) 0;
  }

  .chip {
    display: inline-flex;
    align-items: center;
    gap: 4px;
    height: 18px;
    padding: 0 7px;
    border-radius: 9px;
    font-size: 11px;
    font-weight: 600;
    background: var(--hover);
    color: var(--veil);
    white-space: nowrap;
  }

  .chip.keep {
    background: #17402b;
    color: #8de3b2;
  }

  .chip.doubt {
    background: #4a3a0f;
    color: #f7d071;
  }

  .chip.alarm {
    background: #55221f;
    color: #ffb3ad;
  }

  kbd {
    display: inline-block;
    min-width: 20px;
    padding: 0 5px;
    border: 1px solid var(--line);
    border-bottom-width: 2px;
    border-radius: 4px;
    background: var(--raised);
    font: inherit;
    font-size: 11px;
    text-align: center;
  }

  progress {
    width: 100%;
    height: 6px;
    border: 0;
    border-radius: 3px;
    background: var(--hover);
    overflow: hidden;
    appearance: none;
  }

  progress::-webkit-progress-bar {
    background: var(--hover);
  }

  progress::-webkit-progress-value {
    background: var(--accent);
    border-radius: 3px;
  }

  progress::-moz-progress-bar {
    background: var(--accent);
    border-radius: 3px;
  }

  dialog {
    width: min(440px, calc(100vw - 48px));
    max-height: calc(100vh - 64px);
    padding: 20px;
    border: 1px solid var(--line);
    border-radius: 10px;
    background: var(--panel);
    color: var(--text);
    box-shadow: 0 24px 64px rgb(0 0 0 / 60%);
  }

  dialog::backdrop {
    background: rgb(8 9 10 / 65%);
  }

  dialog h2 {
    margin-bottom: 12px;
    font-size: 16px;
  }

  .actions {
    display: flex;
    justify-content: flex-end;
    gap: 8px;
    margin-top: 16px;
  }

  label.choice {
    display: flex;
    align-items: center;
    gap: 8px;
    padding: 4px 0;
  }

  input[type="text"],
  textarea {
    width: 100%;
    min-height: 28px;
    padding: 4px 8px;
  }

  input[type="checkbox"],
  input[type="radio"] {
    accent-color: var(--accent);
    margin: 0;
  }

  fieldset {
    margin: 0 0 12px;
    padding: 0;
    border: 0;
  }

  legend {
    padding: 0 0 4px;
    color: var(--muted);
  }

  @media (prefers-reduced-motion: no-preference) {
    button {
      transition: background 80ms;
    }
  }
`;

/** How a box is drawn: its provenance by colour and line. Dashes in pixels of the screen. */
export const PROVENANCE_LOOK = {
  detected: { word: "detected", colour: "#6cc7ff", dash: [] },
  low_score: { word: "low score", colour: "#c7a6ff", dash: [2, 3] },
  interpolated: { word: "filled in", colour: "#f2c14e", dash: [6, 4] },
  extended: { word: "extended", colour: "#ff9d6e", dash: [10, 3, 2, 3] },
  tracked: { word: "followed", colour: "#5fe0b7", dash: [14, 4] },
  manual: { word: "by hand", colour: "#ffffff", dash: [] },
} as const;
