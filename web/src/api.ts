/** The JSON API of the review server: its types, generated from its openapi.json, and a client. */

import type { components } from "./openapi.js";

type Schemas = components["schemas"];

export const KINDS = ["face", "head", "plate", "person", "screen", "other"] as const;
export type Kind = (typeof KINDS)[number];
export const PROVENANCES = [
  "detected",
  "low_score",
  "interpolated",
  "extended",
  "tracked",
  "manual",
] as const;
export type Provenance = (typeof PROVENANCES)[number];

export type Box = Schemas["Box"];
export type Decision = "keep" | "veil";
export type Task = Schemas["Task"];
export type State = Schemas["State"];
export type Person = Schemas["Person"];
export type People = Schemas["People"];
export type Sequence = Schemas["Sequence"];
export type SequencePage = Schemas["Sequences"];
/** All boxes of a range of frames, as columns. */
export type BoxColumns = Schemas["Boxes"];
export type Timeline = Schemas["Timeline"];
export type NextStretch = Schemas["Next"];
export type Stretch = Exclude<NextStretch, { done: true }>;
export type Finding = Schemas["Finding"];
export type Keyframe = Schemas["Keyframe"];
/** One correction; sequences, identities and objects are named by their ids. */
export type Correction = WithoutRevision<Schemas["Correction"]>;
export type Target = { sequence: number } | { object: string };

type WithoutRevision<Sent> = Sent extends unknown ? Omit<Sent, "revision"> : never;

export interface ServerEvent {
  event: string;
  data: string;
}

/** An answer that is no success; `status` is 0 where the server did not answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  static async of(response: Response): Promise<ApiError> {
    const answer = (await response.json().catch(() => null)) as {
      error?: { message?: string };
    } | null;
    const message = answer?.error?.message ?? `The server answered ${response.status}.`;
    return new ApiError(response.status, message);
  }
}

type Query = Record<string, string | number | undefined>;

/** Calls the API under `base`; with a token where the page is embedded elsewhere. */
export class Api {
  private readonly root: string;

  constructor(
    base: string,
    private readonly token: string,
  ) {
    this.root = `${base.replace(/\/+$/, "")}/api/v1/`;
  }

  url(path: string, query: Query = {}): string {
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
    const text = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value!)}`).join("&");
    return this.root + path + (text && `?${text}`);
  }

  async get<T>(path: string, query: Query = {}): Promise<T> {
    return (await (await this.request(this.url(path, query))).json()) as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const response = await this.request(this.url(path), {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
    return (await response.json()) as T;
  }

  async delete(path: string): Promise<void> {
    await this.request(this.url(path), { method: "DELETE" });
  }

  /** A JPEG of the server, decoded. */
  async picture(url: string, signal?: AbortSignal): Promise<ImageBitmap> {
    const response = await this.request(url, signal ? { signal } : {});
    return createImageBitmap(await response.blob());
  }

  /** Hands a file to the browser's downloads; a link cannot carry the token. */
  async download(path: string, name: string): Promise<void> {
    const link = document.createElement("a");
    link.download = name;
    if (!this.token) {
      link.href = this.url(path);
      link.click();
      return;
    }
    const response = await this.request(this.url(path));
    link.href = URL.createObjectURL(await response.blob());
    link.click();
    setTimeout(() => {
      URL.revokeObjectURL(link.href);
    }, 60_000);
  }

  /** The server-sent events, until the connection ends. `opened` is called once it stands. */
  async *events(signal: AbortSignal, opened: () => void): AsyncGenerator<ServerEvent> {
    const headers = { Accept: "text/event-stream" };
    const response = await this.request(this.url("events"), { signal, headers });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    opened();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value.replaceAll("\r", "");
      const blocks = text.split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const fields = new Map(block.split("\n").map((line) => fieldOf(line)));
        if (fields.has("data")) {
          yield { event: fields.get("event") ?? "message", data: fields.get("data")! };
        }
      }
    }
  }

  private async request(url: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token) headers.set("Authorization", `Bearer ${this.token}`);
    let response: Response;
    try {
      response = await fetch(url, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiError(0, "The review server does not answer.");
    }
    if (!response.ok) throw await ApiError.of(response);
    return response;
  }
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
