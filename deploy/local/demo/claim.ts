import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { Failure } from "../../../shared/failures.ts";
import { parseJson } from "../../../shared/json.ts";
import { namesIn } from "../../../shared/nas/points.ts";
import { ownIdentity, ProcessIdentity, stateOf } from "../../../shared/run/process-identity.ts";
import { findRunningGateway } from "../gateway/gateway-file.ts";
import { natsFolder } from "../gateway/nats.ts";
import { stopNatsServer } from "../lab/nats/server.ts";
import { type LabApp, placesIn } from "./lab.ts";

const Mark = z.object({ madeBy: ProcessIdentity });

/** Whether the demo made this folder. */
export const isDemoFolder = async (folder: string) => (await readMark(folder)) !== undefined;

/**
 * Makes the folder this demo's own. What an earlier demo left there is stopped and removed; a folder that no demo made
 * is never touched.
 * @param say Hears what is removed.
 * @throws {Failure} `target_exists`, `app_busy`.
 */
export async function claimFolder(folder: string, apps: readonly LabApp[], say: (line: string) => void): Promise<void> {
  const { root, mark } = placesIn(folder);
  const earlier = await readMark(root);
  if (!earlier && (await namesIn(root)).length > 0) {
    throw new Failure(
      "target_exists",
      `Cannot make the home lab in "${root}": it holds something that is not the demo's`,
      {
        hint: `Move it away, then run this again: mv '${root}' '${root}.mine'`,
      },
    );
  }
  await requireIdle(root);
  if (earlier) {
    say(`Removing what an earlier demo left in ${root}, its backups too`);
    await clearFolder(root, apps);
  }
  await mkdir(root, { recursive: true });
  await writeFile(mark, `${JSON.stringify({ madeBy: await ownIdentity() })}\n`);
}

/**
 * @throws {Failure} `app_busy` when a demo is at work in the folder, or a gateway serves it.
 */
export async function requireIdle(folder: string): Promise<void> {
  const { root, state } = placesIn(folder);
  const mark = await readMark(root);
  if (mark && mark.madeBy.pid !== process.pid && (await stateOf(mark.madeBy)) === "alive") {
    throw new Failure("app_busy", `Cannot use the home lab in "${root}": a demo is at work there`, {
      hint: `Wait for it, or end it: kill ${mark.madeBy.pid}`,
    });
  }
  const gateway = await findRunningGateway(state);
  if (gateway) {
    throw new Failure("app_busy", `Cannot use the home lab in "${root}": a gateway serves it at ${gateway.url}`, {
      hint: `End it with Ctrl-C where make up runs, or: kill ${gateway.pid}`,
    });
  }
}

/** Stops what runs there, then deletes it; the mark goes last, so that a second try finds it. */
async function clearFolder(root: string, apps: readonly LabApp[]): Promise<void> {
  const { mark, state } = placesIn(root);
  await endRuns(state);
  await stopNatsServer(natsFolder(state));
  for (const app of apps) {
    await app.stop();
    await app.remove();
  }
  for (const name of await readdir(root)) {
    if (name !== basename(mark)) await rm(join(root, name), { recursive: true, force: true });
  }
}

/** Ends the runs that are still going, each with an outcome; they outlive whoever started them. */
export async function endRuns(state: string): Promise<void> {
  const folder = join(state, "runs");
  const runners = await Promise.all(
    (await namesIn(folder)).map(async (id) => {
      const text = await readFile(join(folder, id, "runner.json"), "utf8").catch(() => "");
      const runner = ProcessIdentity.safeParse(parseJson(text));
      return runner.success && (await stateOf(runner.data)) === "alive" ? [runner.data] : [];
    }),
  );
  for (const runner of runners.flat()) await end(runner);
}

const patienceMs = 20_000;

async function end(runner: ProcessIdentity): Promise<void> {
  const signal = async (name: NodeJS.Signals) => {
    if ((await stateOf(runner)) === "alive") process.kill(runner.pid, name);
  };
  await signal("SIGTERM");
  for (const since = Date.now(); (await stateOf(runner)) === "alive"; await delay(50)) {
    if (Date.now() - since > patienceMs) return signal("SIGKILL");
  }
}

async function readMark(folder: string): Promise<z.infer<typeof Mark> | undefined> {
  const parsed = Mark.safeParse(parseJson(await readFile(placesIn(folder).mark, "utf8").catch(() => "")));
  return parsed.success ? parsed.data : undefined;
}
