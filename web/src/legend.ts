import { html } from "lit";
import { PROVENANCE_LOOK } from "./theme.js";

/** What colours, lines and shapes of the boxes mean. */
export function legend() {
  return html`<div class="card legend">
    <ul>
      ${Object.values(PROVENANCE_LOOK).map(
        ({ word, colour, dash }) =>
          html`<li>
            <svg class="sample" viewBox="0 0 44 8" aria-hidden="true">
              <path
                d="M1 4h42"
                stroke=${colour}
                stroke-dasharray=${dash.join(" ") || "none"}
              ></path></svg
            >${word}
          </li>`,
      )}
    </ul>
    <p>Hatched: veiled. Tag ✓: kept.</p>
    <p>Shapes: face rounded, head oval, plate cut, screen double, other with a diamond.</p>
  </div>`;
}
