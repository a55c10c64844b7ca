import { LitElement, css, html } from "lit";

/** The review studio as one element. */
export class FaceveilReview extends LitElement {
  static override styles = css`
    :host {
      display: block;
      font: 14px system-ui, sans-serif;
    }
  `;

  override render() {
    return html`<p>Loading…</p>`;
  }
}

customElements.define("faceveil-review", FaceveilReview);
