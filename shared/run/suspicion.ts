import type { Identity } from "../app.ts";
import { Failure } from "../failures.ts";
import type { AppRun } from "./app-run.ts";

export interface Baseline {
  readonly identity?: Identity | undefined;
  readonly sourceBytes?: number | undefined;
}

/**
 * Refuses a source that must not push out the good copies: another one than before, or suddenly much smaller.
 * @throws {Failure} `source_replaced`, `source_smaller`, `source_empty`.
 */
export function refuseSuspicious(
  { ctx, config }: Pick<AppRun, "ctx" | "config">,
  baseline: Baseline,
  source: { identity?: Identity; sizeBytes?: number },
): void {
  const { name, title } = ctx.app;
  if (baseline.identity && source.identity && baseline.identity.id !== source.identity.id && !ctx.allows("replaced")) {
    throw new Failure(
      "source_replaced",
      `Cannot back up ${title}: ${baseline.identity.label} is wanted, is ${source.identity.label}. It is another one than before, so the backups are left as they are`,
      { hint: `To get the old one back: make restore-${name}. If the new one is right: make accept-${name}` },
    );
  }
  if (source.sizeBytes === 0) {
    throw new Failure("source_empty", `Cannot back up ${title}: there is nothing in it`, {
      hint: `To get it back: make restore-${name}`,
    });
  }
  if (baseline.sourceBytes === undefined || source.sizeBytes === undefined || ctx.allows("smaller")) return;
  const wantedBytes = Math.floor((baseline.sourceBytes * config.common.smallerThanPercent) / 100);
  if (source.sizeBytes >= wantedBytes) return;
  throw new Failure(
    "source_smaller",
    `Cannot back up ${title}: at least ${wantedBytes} bytes are wanted (${config.common.smallerThanPercent} % of last time's ${baseline.sourceBytes}), are ${source.sizeBytes}`,
    { hint: `If that is right: make backup-${name} ALLOW=smaller. If data was lost: make restore-${name}` },
  );
}
