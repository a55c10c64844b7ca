import type { Api } from "./api.js";

/** Decoded pictures, the least recently used of which are let go. */
export class PictureCache {
  private pictures = new Map<string, ImageBitmap>();
  private pending = new Map<string, Promise<ImageBitmap>>();

  constructor(
    private readonly api: Api,
    private readonly capacity: number,
  ) {}

  get inFlight(): number {
    return this.pending.size;
  }

  has(url: string): boolean {
    return this.pictures.has(url) || this.pending.has(url);
  }

  /** The picture if it is here. */
  peek(url: string): ImageBitmap | undefined {
    const picture = this.pictures.get(url);
    if (picture) {
      this.pictures.delete(url); // to the young end of the map
      this.pictures.set(url, picture);
    }
    return picture;
  }

  async load(url: string): Promise<ImageBitmap> {
    const picture = this.peek(url);
    if (picture) return picture;
    let pending = this.pending.get(url);
    if (!pending) {
      pending = this.api.picture(url).then((loaded) => {
        this.keep(url, loaded);
        return loaded;
      });
      this.pending.set(url, pending);
      const settled = () => this.pending.delete(url);
      pending.then(settled, settled);
    }
    return pending;
  }

  clear(): void {
    for (const picture of this.pictures.values()) picture.close();
    this.pictures.clear();
  }

  private keep(url: string, picture: ImageBitmap): void {
    this.pictures.set(url, picture);
    while (this.pictures.size > this.capacity) {
      const [oldest, old] = this.pictures.entries().next().value!;
      old.close();
      this.pictures.delete(oldest);
    }
  }
}
