/** A long list of the server, loaded in pages when its items are asked for. */
export class Paged<Item> {
  total = 0;
  loaded = false;
  private pages = new Map<number, Item[]>();
  private stale = new Set<number>();
  private loading = new Set<number>();
  private generation = 0;

  /**
   * @param fetchPage asks the server for `limit` items from `offset`
   * @param changed is called when items have arrived
   */
  constructor(
    private readonly fetchPage: (
      offset: number,
      limit: number,
    ) => Promise<{ total: number; items: Item[] }>,
    private readonly changed: () => void,
    private readonly size = 200,
  ) {}

  /** The item, or undefined until its page has arrived. */
  at(index: number): Item | undefined {
    const page = Math.floor(index / this.size);
    if (!this.pages.has(page) || this.stale.has(page)) void this.load(page);
    return this.pages.get(page)?.[index % this.size];
  }

  /** All items that have arrived, with their places in the list. */
  *known(): Generator<[number, Item]> {
    for (const [page, items] of this.pages) {
      for (const [row, item] of items.entries()) yield [page * this.size + row, item];
    }
  }

  /**
   * Asks for the next page that has never been loaded, so that a list that is shown whole grows
   * until nothing is missing. Returns whether everything is here.
   */
  loadMore(): boolean {
    for (let page = 0; page * this.size < this.total; page++) {
      if (this.pages.has(page)) continue;
      void this.load(page);
      return false;
    }
    return this.loaded;
  }

  /** Asks for the first page, and keeps what is shown until newer pages have arrived. */
  refresh(): void {
    this.generation += 1;
    this.loading.clear();
    this.stale = new Set(this.pages.keys());
    void this.load(0);
  }

  private async load(page: number): Promise<void> {
    if (this.loading.has(page)) return;
    this.loading.add(page);
    const generation = this.generation;
    try {
      const { total, items } = await this.fetchPage(page * this.size, this.size);
      if (generation !== this.generation) return;
      this.total = total;
      this.loaded = true;
      this.pages.set(page, items);
      this.stale.delete(page);
      for (const other of this.pages.keys()) {
        if (other * this.size >= total) this.pages.delete(other);
      }
      this.loading.delete(page);
      this.changed();
    } catch {
      // The connection is watched elsewhere; the page is asked for again when it is next needed.
      if (generation === this.generation) setTimeout(() => this.loading.delete(page), 1000);
    }
  }
}
