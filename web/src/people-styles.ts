import { css } from "lit";

export const PERSON_HEIGHT = 126; // pixels
export const SEQUENCE_HEIGHT = 60;

/** The rows of people and of their sequences. */
export const peopleStyles = css`
  :host {
    display: block;
    overflow-y: auto;
    min-height: 0;
    flex: 1;
  }

  .sheet {
    position: relative;
  }

  .row {
    position: absolute;
    left: 0;
    right: 0;
    overflow: hidden;
    border-bottom: 1px solid var(--line);
    padding: 8px 12px 8px 8px;
  }

  .person {
    height: ${PERSON_HEIGHT}px;
    display: grid;
    grid-template-columns: 24px 1fr auto;
    grid-template-rows: 28px 46px 1fr;
    column-gap: 4px;
    row-gap: 1px;
  }

  .person > .facts {
    grid-column: 2 / 4;
    align-self: end;
  }

  .sequence {
    height: ${SEQUENCE_HEIGHT}px;
    padding-left: 32px;
    display: flex;
    align-items: center;
    gap: 8px;
    background: #17191b;
  }

  .sequence .what {
    flex: 1;
    min-width: 0;
  }

  .row.selected {
    background: #22304a;
  }

  .row.over {
    outline: 2px solid var(--accent);
    outline-offset: -2px;
    background: #22304a;
  }

  .name {
    display: flex;
    align-items: center;
    min-width: 0;
    gap: 4px;
  }

  .name b {
    font-size: 14px;
    font-weight: 600;
  }

  b,
  .facts,
  .reason {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .times {
    white-space: nowrap;
  }

  .facts,
  .reason {
    font-size: 12px;
    color: var(--muted);
  }

  .pictures {
    display: flex;
    gap: 3px;
  }

  .pictures button,
  .sequence > button.picture {
    padding: 0;
    border: 0;
    min-height: 0;
    background: none;
  }

  .row button.decide {
    width: 84px;
  }

  .side {
    display: flex;
    flex-direction: column;
    align-items: flex-end;
    gap: 4px;
    padding-top: 2px;
  }

  .sequence button.decide {
    width: 68px;
  }

  button.decide.keep {
    border-color: #2f6b4b;
    background: #17402b;
    color: #8de3b2;
  }

  button.decide.mixed {
    border-style: dashed;
  }

  .bar {
    display: flex;
    height: 3px;
    margin-top: 3px;
    border-radius: 2px;
    overflow: hidden;
  }

  .empty {
    padding: 32px 24px;
    text-align: center;
    color: var(--muted);
  }

  .empty b {
    display: block;
    margin-bottom: 4px;
    color: var(--text);
    white-space: normal;
  }
`;
