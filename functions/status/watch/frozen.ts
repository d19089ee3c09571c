import type { Remembered } from "./memory.ts";
import type { Situation } from "./situation.ts";

/** Which conditions nobody can judge now, since those who know do not answer: they stay as they are. */
export function isFrozenIn(known: Remembered, situations: readonly Situation[]) {
  const stale = new Set(situations.filter(({ isFresh }) => !isFresh).map(({ app }) => app.name));
  return ({ id, app }: { readonly id: string; readonly app?: string | undefined }): boolean => {
    if (id.startsWith("silent:")) return false;
    if (app !== undefined) return stale.has(app);
    if (id === "undelivered") return stale.size > 0;
    if (id === "nas:space") return known.nas.reachable !== true;
    return id.startsWith("notify:") && known.silent.notify !== undefined;
  };
}
