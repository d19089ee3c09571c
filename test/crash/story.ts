import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatTable } from "../../deploy/cli/format.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { carry } from "../worlds/run.ts";
import { describeRun, type Killed, killPoints, killsAtAll, runKilled } from "./kill.ts";
import { type CrashRow, rememberRows } from "./reliability.ts";

/**
 * Something a user does, told so that it can be killed at each of its steps: in a copy of the same world each time,
 * looked at right after the kill, run once more, and compared with a world where nothing was killed.
 */
export interface Story<World> {
  /** For the table: "factorio: backup that expires an older point". */
  readonly name: string;
  readonly app: string;
  readonly request: RunRequest;
  /** How many of its steps `make test` kills at. */
  readonly sample: number;
  /** Outcomes that the run after a kill may have: "unchanged" when the killed one had published. */
  readonly outcomes: readonly string[];
  /** Lays the world out in an empty folder, once. */
  lay(folder: string): Promise<void>;
  /** Starts what has to run over a copy of it. */
  open(folder: string): Promise<World>;
  close(world: World): Promise<void>;
  /** What a user does after a kill; the same again unless told. */
  requestAfter?(world: World): Promise<RunRequest>;
  /** What must hold once a `flush` run, as the gateway starts one after a kill, has put things in order. */
  lookAfterMend?(world: World): Promise<void>;
  /** What must hold at every moment. */
  lookAfterKill(world: World, killed: Killed): Promise<void>;
  /** What must hold once a run has ended well; what it returns must equal that of the world without a kill. */
  lookAtEnd(world: World, runIds: readonly string[]): Promise<unknown>;
  readonly configPath: (folder: string) => string;
  /** What carries its runs out; `killed-runner.ts`, on this machine, when absent. */
  readonly runner?: string;
}

/** Where a story's runs keep their own things: `state` beside the configuration. */
const statePath = (folder: string) => join(folder, "state");

export function killStories<World>(stories: readonly Story<World>[]): void {
  const table: CrashRow[] = [];
  for (const story of stories) describe(story.name, () => tell(story, table));
  afterAll(async () => {
    const rows = table.map(({ steps, killed, story }) => [String(steps), String(killed), story]);
    console.log(formatTable([["STEPS", "KILLED AT", "STORY"], ...rows]).join("\n"));
    if (killsAtAll) await rememberRows(table);
  });
}

function tell<World>(story: Story<World>, table: CrashRow[]): void {
  let base: string;
  let steps: readonly string[] = [];
  let expected: unknown;
  let copies = 0;

  const inCopy = async (use: (folder: string, world: World) => Promise<void>): Promise<void> => {
    copies += 1;
    const folder = join(base, `copy-${copies}`);
    await cp(join(base, "world"), folder, { recursive: true, preserveTimestamps: true });
    const world = await story.open(folder);
    try {
      await use(folder, world);
    } finally {
      await story.close(world);
      await rm(folder, { recursive: true, force: true });
    }
  };
  const run = (folder: string, killAt: number, request = story.request) => {
    const description = describeRun(story.app, request);
    return runKilled(statePath(folder), story.configPath(folder), description, killAt, story.runner).then((killed) => ({
      ...killed,
      id: description.id,
    }));
  };

  /** A run that nobody kills: in this process, where one on this machine is done before another has started. */
  const finish = async (folder: string, request = story.request) => {
    if (story.runner !== undefined) return run(folder, 0, request);
    const { runId, outcome, lines } = await carry(story.configPath(folder), story.app, request);
    return { id: runId, outcome, log: JSON.stringify(lines) };
  };

  beforeAll(async () => {
    // A kill leaves the page cache as it is, so memory will do, where fsync costs nothing.
    base = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "keepsake-crash-"));
    await story.lay(join(base, "world"));
    await inCopy(async (folder, world) => {
      const undisturbed = await run(folder, 0);
      expect(undisturbed.outcome?.failure, undisturbed.log).toBeUndefined();
      steps = undisturbed.steps;
      expected = await story.lookAtEnd(world, [undisturbed.id]);
    });
  }, 60_000);
  afterAll(() => rm(base, { recursive: true, force: true }));

  test(`killed at every sampled step, it leaves a sound world, and the next run ends as if nothing had been`, async () => {
    const points = killPoints(steps.length, story.sample);
    expect(points.length).toBeGreaterThan(0);
    for (const killAt of points) {
      await inCopy(async (folder, world) => {
        const where = `killed before step ${killAt} of ${steps.length}, "${steps[killAt - 1]}"`;
        try {
          const killed = await run(folder, killAt);
          expect(killed.signal, killed.log).toBe("SIGKILL");
          await story.lookAfterKill(world, killed);
          const runs = [killed.id];
          if (story.lookAfterMend) {
            const mend = await finish(folder, { operation: "flush" });
            expect(mend.outcome?.outcome, mend.log).toBe("flushed");
            await story.lookAfterMend(world);
            runs.push(mend.id);
          }
          const next = await finish(folder, await story.requestAfter?.(world));
          expect(story.outcomes, JSON.stringify(next.outcome?.failure ?? next.log)).toContain(next.outcome?.outcome);
          expect(await story.lookAtEnd(world, [...runs, next.id])).toEqual(expected);
        } catch (cause) {
          throw new Error(`${story.name}, ${where}: ${(cause as Error).message}`, { cause });
        }
      });
    }
    table.push({ app: story.app, story: story.name, steps: steps.length, killed: points.length });
  }, 3_600_000);
}
