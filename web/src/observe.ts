import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Tells listeners that something about a topic has changed. */
export class Topics<Topic extends string> {
  private readonly target = new EventTarget();

  emit(...topics: Topic[]): void {
    for (const topic of topics) this.target.dispatchEvent(new Event(topic));
  }

  on(topic: Topic, listener: () => void): () => void {
    this.target.addEventListener(topic, listener);
    return () => {
      this.target.removeEventListener(topic, listener);
    };
  }
}

/** Renders an element again whenever one of its topics changes. */
export class Watch<Topic extends string> implements ReactiveController {
  private ends: (() => void)[] = [];

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly topics: () => Topics<Topic>,
    private readonly names: Topic[],
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    const update = () => {
      this.host.requestUpdate();
    };
    this.ends = this.names.map((name) => this.topics().on(name, update));
  }

  hostDisconnected(): void {
    for (const end of this.ends) end();
    this.ends = [];
  }
}
