import type { AppStatus, CheckStatus } from "../view.ts";
import { type AppFamily, each, eachOf, type Family, secondsOf, unixSeconds } from "./family.ts";

const results = ["proven", "failed", "inconclusive"] satisfies NonNullable<CheckStatus["last"]>["result"][];

/** Drills and scrubs of each app. */
export const checkFamilies = (apps: readonly AppStatus[]): Family[] => families.map((measured) => measured(apps));

const lastOf = (check: "drill" | "scrub"): AppFamily[] => [
  each(`keepsake_${check}_last_timestamp_seconds`, `When the last ${check} ended.`, (app) => unixSeconds(app[check].last?.at)),
  eachOf(`keepsake_${check}_last_result`, `How the last ${check} ended: that result has 1.`, "result", results, (app) => app[check].last?.result),
  each(`keepsake_${check}_last_duration_seconds`, `How long the last ${check} took.`, (app) => secondsOf(app[check].last?.tookMs)),
  each(`keepsake_${check}_next_timestamp_seconds`, `When the next ${check} is due.`, (app) => unixSeconds(app[check].nextAt)),
]; // biome-ignore format: a table

const families: AppFamily[] = [
  ...lastOf("drill"),
  each("keepsake_drill_last_proven_timestamp_seconds", "When a drill last proved a restore point that is there.", (app) => unixSeconds(lastProof(app)?.at)),
  each("keepsake_drill_recovery_seconds", "How long that restore took: the recovery time to expect.", (app) => lastProof(app)?.recoverySeconds),
  ...lastOf("scrub"),
  each("keepsake_scrub_read_bytes", "What the last scrub read back.", ({ scrub }) => scrub.last?.doneBytes),
  each("keepsake_scrub_size_bytes", "What there is to read back.", ({ scrub }) => scrub.last?.totalBytes),
]; // biome-ignore format: a table

const lastProof = ({ points }: AppStatus) =>
  points
    .flatMap(({ proven }) => proven ?? [])
    .toSorted((a, b) => a.at.localeCompare(b.at))
    .at(-1);
