import { createHash } from "node:crypto";
import { createReadStream, existsSync, writeSync } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Disk, temporaryFor } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { type Lock, takeLock } from "../../shared/run/lock.ts";
import { ownIdentity } from "../../shared/run/process-identity.ts";
import { createStep } from "../../shared/step.ts";
import { carry } from "../worlds/run.ts";
import type { OrderName, Orders, Said, Told } from "./orders.ts";

/*
 * The one process of a client: does what it is told on standard input, by the code that runs on people's machines.
 */

const disk = new Disk(createStep());
const locks: Lock[] = [];

const doing: { [Name in OrderName]: (order: Orders[Name]["order"]) => Promise<Orders[Name]["answer"]> } = {
  async mark({ nas }) {
    await disk.makeDir(nas);
    await initNas(nas, disk);
    return null;
  },
  async run({ config, app, runId, request, pauseAt }) {
    let waits = pauseAt === undefined ? undefined : new RegExp(pauseAt);
    const { outcome } = await carry(config, app, request, {
      runId,
      onStep: async (what) => {
        if (!waits?.test(what)) return;
        waits = undefined;
        const written = /^fsync (\/.*)$/.exec(what)?.[1];
        if (written !== undefined) await sync(written);
        say({ paused: what });
        await serve();
      },
    });
    return outcome;
  },
  async hash({ path }) {
    return createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  },
  async remove({ path }) {
    await rm(path);
    return null;
  },
  exist: ({ paths }) => inTurn(paths, async (path) => existsSync(path)),
  claim: ({ way, folder, names, content }) =>
    inTurn(names, async (name) => {
      const path = join(folder, name);
      if (way === "createExclusive") return disk.createExclusive(path, content);
      const made = temporaryFor(path);
      await disk.write(made, content);
      return disk.renameExclusive(made, path);
    }),
  async lock({ folders }) {
    const holder = await ownIdentity();
    return inTurn(folders, async (folder) => {
      try {
        const lock = await takeLock(folder, ownRun(), holder, disk);
        await lock.fence();
        locks.push(lock);
        return lock.number;
      } catch (error) {
        if (error instanceof Failure) return error.code;
        throw error;
      }
    });
  },
  fence: () =>
    inTurn(locks, (lock) =>
      lock.fence().then(
        () => true as const,
        (error) => error.code as string,
      ),
    ),
  async release() {
    for (const lock of locks.splice(0)) await lock.release();
    return null;
  },
};

const ownRun = () => ({
  id: `run-on-${hostname()}`,
  function: "backup-factorio",
  app: "factorio",
  request: { operation: "backup" as const, app: "factorio", allow: [] },
  startedBy: "a test",
  startedAt: new Date().toISOString(),
});

async function inTurn<T, U>(names: readonly U[], act: (name: U) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (const name of names) answers.push(await act(name));
  return answers;
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  await file.sync();
  await file.close();
}

const lines = createInterface({ input: createReadStream("", { fd: 0 }) })[Symbol.asyncIterator]();

function say(said: Said): void {
  writeSync(1, `${JSON.stringify(said)}\n`);
}

/** Until it is told to go on with what it was doing. */
async function serve(): Promise<void> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) return;
    const told: Told = JSON.parse(value);
    if ("goOn" in told) return;
    try {
      say({ answer: await doing[told.name](told.order as never) });
    } catch (error) {
      say({ error: String((error as Error).stack) });
    }
  }
}

say({ ready: true });
await serve();
