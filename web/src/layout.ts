import { css } from "lit";

/** Where the parts of the page lie. */
export const layout = css`
  :host {
    display: block;
    height: 100%;
    min-height: 480px;
    background: var(--ground);
    overflow: hidden;
  }

  h1 {
    margin: 0;
    font-size: 14px;
    font-weight: 600;
  }

  .centre {
    display: grid;
    height: 100%;
    gap: 12px;
    place-content: center;
    justify-items: center;
    text-align: center;
  }

  .studio {
    position: relative;
    display: grid;
    height: 100%;
    grid-template:
      "header header" 48px "banner banner" auto "aside main" 1fr "footer footer" auto / clamp(
        320px,
        25vw,
        400px
      )
      1fr;
  }

  header {
    grid-area: header;
    display: flex;
    align-items: center;
    gap: 12px;
    min-width: 0;
    padding: 0 12px 0 16px;
    border-bottom: 1px solid var(--line);
    background: var(--panel);
  }

  header h1 {
    overflow: hidden;
    max-width: 30vw;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .facts {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .spring {
    flex: 1;
  }

  .risk {
    display: flex;
    align-items: center;
    gap: 8px;
  }

  .risk progress {
    width: 96px;
  }

  .risk .number {
    min-width: 44px;
  }

  .banner {
    grid-area: banner;
    display: flex;
    align-items: center;
    gap: 8px;
    padding: 8px 16px;
    background: #4a3a0f;
    color: #f7d071;
  }

  aside {
    grid-area: aside;
    display: flex;
    flex-direction: column;
    min-height: 0;
    border-right: 1px solid var(--line);
    background: var(--panel);
  }

  #panel {
    display: flex;
    flex: 1;
    min-height: 0;
  }

  .tabs {
    display: flex;
    border-bottom: 1px solid var(--line);
  }

  .tabs button {
    flex: 1;
    height: 40px;
    border: 0;
    border-bottom: 2px solid transparent;
    border-radius: 0;
    background: none;
  }

  .tabs button[aria-selected="true"] {
    border-bottom-color: var(--accent);
    font-weight: 600;
  }

  main {
    grid-area: main;
    display: flex;
    flex-direction: column;
    min-width: 0;
    min-height: 0;
  }

  .stage {
    position: relative;
    display: flex;
    flex: 1;
    flex-direction: column;
    min-height: 0;
  }

  .stage fv-picture {
    flex: 1;
  }

  .overlays {
    position: absolute;
    top: 56px;
    right: 12px;
    display: flex;
    flex-direction: column;
    align-items: flex-end;
    gap: 8px;
    pointer-events: none;
  }

  .card {
    display: flex;
    align-items: center;
    gap: 10px;
    max-width: 420px;
    padding: 6px 12px;
    border: 1px solid var(--line);
    border-radius: 8px;
    background: rgb(27 29 32 / 94%);
    pointer-events: auto;
  }

  .card progress {
    width: 120px;
  }

  .legend {
    display: block;
    max-width: 240px;
  }

  .legend ul {
    margin: 0;
    padding: 0;
    list-style: none;
  }

  .legend li {
    display: flex;
    align-items: center;
    gap: 10px;
  }

  .legend p {
    margin-top: 6px;
    color: var(--muted);
    font-size: 12px;
  }

  .sample {
    width: 44px;
    height: 8px;
    stroke-width: 2.5;
    stroke-linecap: butt;
  }

  footer {
    grid-area: footer;
    min-width: 0;
    border-top: 1px solid var(--line);
  }

  .notices {
    position: absolute;
    pointer-events: none;
    bottom: 216px;
    left: 50%;
    max-width: 60vw;
    transform: translateX(-50%);
  }

  .notices p {
    margin: 0;
    padding: 8px 16px;
    border-radius: 8px;
    background: #2c4567;
    box-shadow: 0 8px 24px rgb(0 0 0 / 50%);
  }

  .notices .error {
    background: #6b2823;
    color: #ffd5d1;
  }

  @media (max-width: 1200px) {
    .facts,
    .reviewer {
      display: none;
    }
  }
`;
