import { setTimeout as delay } from "node:timers/promises";
import { type KubernetesObject, Watch } from "@kubernetes/client-node";
import type { Cluster } from "./client.ts";

/** Before a watch that broke is opened again, in ms: the first wait, which doubles, and the longest. */
const againMs = { first: 200, most: 2000 };

/** Some objects of one kind, as the API lists and watches them. */
export interface Source<T extends KubernetesObject> {
  /** "/api/v1/namespaces/box/pods" */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  list(): Promise<{ items: T[]; metadata?: { resourceVersion?: string } }>;
}

export interface Watching {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called after each change. */
  readonly onChange: () => void;
  /** Hears why a look failed; it is tried again. */
  readonly onError?: (error: unknown) => void;
}

/** The same, as they are now. */
export interface Seen<T extends KubernetesObject> {
  /** undefined while the API is away. */
  readonly items: readonly T[] | undefined;
}

/**
 * Keeps itself up to date until it is told to end: lists, then watches, and lists again whenever the watch ends: because
 * the API server restarted, what it remembers is too old, the token expired or the connection was cut.
 */
export function see<T extends KubernetesObject>(
  { config }: Pick<Cluster, "config">,
  source: Source<T>,
  { signal, onChange, onError }: Watching,
): Seen<T> {
  const seen: { items: readonly T[] | undefined } = { items: undefined };
  void keepUp();
  return seen;

  async function keepUp(): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const { items, metadata } = await source.list();
        if (signal.aborted) return;
        failures = 0;
        seen.items = items;
        onChange();
        await follow(metadata?.resourceVersion ?? "");
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        seen.items = undefined;
        onError?.(error);
        onChange();
        const wait = Math.min(againMs.first * 2 ** (failures - 1), againMs.most);
        // An aborted wait ends the loop.
        await delay(wait, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Returns when the watch ends in order; what it missed is in the next list. */
  async function follow(resourceVersion: string): Promise<void> {
    const { path, labelSelector, fieldSelector } = source;
    const watch = new Watch(config);
    const over = new AbortController();
    try {
      await new Promise<void>((resolve, reject) => {
        const done = (error: unknown) => {
          // The library ends a watch that was quiet for 30 s: a connection that died says nothing.
          if (!error || (error as Error).name === "TimeoutError") resolve();
          else reject(error);
        };
        const onEvent = (type: string, object: T) => {
          // 410, or something that cannot be told: the next list tells it.
          if (type === "ERROR") resolve();
          else if (type !== "BOOKMARK") take(type, object);
        };
        signal.addEventListener("abort", () => resolve(), { once: true, signal: over.signal });
        const close = (controller: AbortController) => {
          if (over.signal.aborted) controller.abort();
          over.signal.addEventListener("abort", () => controller.abort(), { once: true });
        };
        watch.watch(path, { resourceVersion, labelSelector, fieldSelector }, onEvent, done).then(close, reject);
      });
    } finally {
      over.abort();
    }
  }

  function take(type: string, object: T): void {
    if (signal.aborted) return;
    const others = (seen.items ?? []).filter(({ metadata }) => metadata?.uid !== object.metadata?.uid);
    seen.items = type === "DELETED" ? others : [...others, object];
    onChange();
  }
}

/** How long something may take; time in which the API is away does not count, but is limited as well. */
export interface Limits {
  readonly withinMs: number;
  readonly awayMs: number;
  /** @throws its reason when it aborts. */
  readonly signal?: AbortSignal;
}

export type Waited<R> = { readonly result: R } | { readonly over: "time" | "away"; readonly error?: unknown };

/**
 * Looks at what is watched, at once and at each change, until `decide` finds something, or throws.
 * @param open Begins the watches that `decide` looks at.
 */
export async function until<R>(
  open: (watching: Watching) => { readonly sources: readonly Seen<KubernetesObject>[]; decide(): R | undefined },
  { withinMs, awayMs, signal }: Limits,
): Promise<Waited<R>> {
  signal?.throwIfAborted();
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Waited<R>>((resolve, reject) => {
      let leftMs = withinMs;
      let since = performance.now();
      let isAway: boolean | undefined;
      let error: unknown;
      /** The clock that runs: that of the wait, or that of the API's absence. */
      const run = (away: boolean) => {
        if (away === isAway) return;
        clearTimeout(timer);
        if (isAway === false) leftMs -= performance.now() - since;
        since = performance.now();
        isAway = away;
        const over = away ? "away" : "time";
        timer = setTimeout(() => resolve({ over, error }), Math.max(0, away ? awayMs : leftMs));
      };
      const look = () => {
        if (!watched) return;
        const away = watched.sources.some(({ items }) => items === undefined);
        run(away);
        if (away) return;
        try {
          const result = watched.decide();
          if (result !== undefined) resolve({ result });
        } catch (cause) {
          reject(cause);
        }
      };
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true, signal: stop.signal });
      const onError = (cause: unknown) => {
        error = cause;
      };
      const watched = open({ signal: stop.signal, onChange: () => look(), onError });
      look();
    });
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
