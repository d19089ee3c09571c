import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { run } from "./command.ts";
import type { Site } from "./site.ts";
import { timeRow } from "./table.ts";

/**
 * A run in which nothing changed, against the next snapshot of two programs that are known for being quick at it; each
 * has its first snapshot of the same data before.
 */
export async function measureUnchanged(
  bench: Bench,
  { site, what, data }: { site: Site; what: string; data: string },
): Promise<void> {
  const ours = async () => {
    const ended = await site.backUp("unchanged");
    bench.peak(`${what}, nothing changed`, ended.peakBytes);
    return ended.seconds;
  };
  await ours();
  for (const [name, goal, prepare] of [
    ["restic backup", 0.15, restic],
    ["borg create", 0.5, borg],
  ] as const) {
    await bench.folder(`repository-of-${what.replaceAll(" ", "-")}`, async (repository) => {
      bench.say(`${what}, nothing changed, against ${name}`);
      const again = await prepare(repository, data);
      const pairs = await bench.pairs(bench.rounds, ours, again);
      bench.rows.push(timeRow(`${what}, nothing changed`, name, goal, pairs));
    });
  }
}

/** Makes a repository with a first snapshot. @returns What makes the next one, and tells how long that took, in seconds. */
async function restic(repository: string, data: string): Promise<() => Promise<number>> {
  const env = {
    RESTIC_REPOSITORY: join(repository, "restic"),
    RESTIC_PASSWORD: "benchmark",
    RESTIC_CACHE_DIR: join(repository, "cache"),
  };
  await run("restic", ["init", "--quiet"], { env });
  const backup = () => run("restic", ["backup", "--quiet", data], { env });
  await backup();
  return async () => (await backup()).seconds;
}

async function borg(repository: string, data: string): Promise<() => Promise<number>> {
  const env = {
    BORG_REPO: join(repository, "borg"),
    BORG_BASE_DIR: repository,
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
  };
  await run("borg", ["init", "--encryption=none"], { env });
  let count = 0;
  const create = () => run("borg", ["create", `::${count++}`, data], { env });
  await create();
  return async () => (await create()).seconds;
}
