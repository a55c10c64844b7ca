import { css } from "lit";

/** Where the parts of the live page lie. */
export const liveLayout = css`
  :host {
    display: flex;
    flex-direction: column;
    height: 100%;
    background: var(--ground);
  }

  header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 24px;
    padding: 8px 16px;
    border-bottom: 1px solid var(--line);
    background: var(--panel);
  }

  h1 {
    margin: 0;
    font-size: 15px;
    font-weight: 600;
  }

  dl {
    display: flex;
    flex-wrap: wrap;
    gap: 4px 20px;
    margin: 0;
  }

  dl > div {
    display: flex;
    gap: 6px;
  }

  dt {
    color: var(--muted);
  }

  dd {
    margin: 0;
    font-weight: 600;
  }

  main {
    display: flex;
    flex: 1;
    min-height: 0;
  }

  .picture {
    position: relative;
    flex: 1;
    min-width: 0;
    margin: 12px;
    border: 4px solid transparent;
    background: #000;
  }

  .picture.alarm {
    border-color: #e5484d;
  }

  video,
  canvas {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
    object-fit: contain;
  }

  canvas {
    cursor: pointer;
  }

  .ended,
  .blanked {
    position: absolute;
    left: 50%;
    bottom: 16px;
    padding: 8px 14px;
    border-radius: var(--radius);
    background: rgb(20 21 23 / 88%);
    transform: translateX(-50%);
  }

  .blanked {
    background: #55221f;
    color: #ffd7d3;
  }

  aside {
    width: 280px;
    padding: 12px 16px;
    border-left: 1px solid var(--line);
    background: var(--panel);
    overflow-y: auto;
  }

  ul {
    margin: 8px 0;
    padding: 0;
    list-style: none;
  }

  li {
    padding: 8px 0;
    border-bottom: 1px solid var(--line);
  }

  .who {
    display: flex;
    justify-content: space-between;
  }

  li p {
    margin: 2px 0 6px;
  }

  .message {
    min-height: 1.4em;
    margin: 8px 0;
  }

  @media (max-width: 700px) {
    main {
      flex-direction: column;
    }

    aside {
      width: auto;
      border-left: 0;
    }
  }
`;
