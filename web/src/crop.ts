import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Box } from "./api.js";
import type { Session } from "./session.js";

/** The picture of one face, cut out of its frame by the server. */
@customElement("fv-crop")
export class Crop extends LitElement {
  static override styles = css`
    :host {
      display: block;
      width: 44px;
      height: 44px;
    }

    canvas {
      display: block;
      width: 100%;
      height: 100%;
      border-radius: 4px;
      background: #25282c;
    }
  `;

  @property({ attribute: false }) session!: Session;
  @property({ type: Number }) frame = 0;
  @property({ attribute: false }) box!: Box;
  @property() label = "";
  private drawn = "";

  override render() {
    return this.label
      ? html`<canvas width="96" height="96" role="img" aria-label=${this.label}></canvas>`
      : html`<canvas width="96" height="96" aria-hidden="true"></canvas>`;
  }

  override updated(): void {
    const box = this.box.map((side) => side.toFixed(1)).join(",");
    const url = this.session.api.url(`crops/${this.frame}.jpg`, { box, size: 96 });
    if (url === this.drawn) return;
    this.drawn = url;
    const context = this.renderRoot.querySelector("canvas")!.getContext("2d")!;
    context.clearRect(0, 0, 96, 96);
    this.session.crops.load(url).then(
      (picture) => {
        if (url !== this.drawn) return;
        const scale = Math.max(96 / picture.width, 96 / picture.height);
        const [width, height] = [picture.width * scale, picture.height * scale];
        context.drawImage(picture, (96 - width) / 2, (96 - height) / 2, width, height);
      },
      () => {
        if (url === this.drawn) this.drawn = ""; // tried again with the next update
      },
    );
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fv-crop": Crop;
  }
}
