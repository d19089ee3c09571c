import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test as always, beforeAll, beforeEach, expect } from "vitest";
import type { RunRequest } from "../../shared/run/description.ts";
import { play } from "../worlds/factorio.ts";
import type { Client } from "./client.ts";
import { canExport, NfsExport } from "./export.ts";

const test = always.runIf(canExport);

let folder: string;
let nfs: NfsExport;
let a: Client;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nfs-"));
  nfs = await NfsExport.start(folder);
  a = await nfs.boot("a");
});
afterAll(async () => {
  await nfs?.stop();
  await rm(folder, { recursive: true });
});

/** What each test has for itself: saves on this machine, which is the clients' disk as well, and a NAS in the export. */
interface Lab {
  folder: string;
  saves: string;
  config: string;
  /** The NAS, as clients see it. */
  nas: string;
  /** The NAS, as the server has it. */
  served: string;
}
let lab: Lab;
let labs = 0;
beforeEach(async () => {
  const name = `lab-${++labs}`;
  const own = join(folder, name);
  const nas = join("/mnt/nas", name);
  lab = {
    folder: own,
    saves: join(own, "saves"),
    config: join(own, "keepsake.yaml"),
    nas,
    served: join(nfs.served, name),
  };
  await mkdir(lab.saves, { recursive: true });
  const factorio = { saves: lab.saves, workload: { stop: "true", start: "true", status: "false" } };
  await writeFile(lab.config, JSON.stringify({ nas, state: join("/mnt", name), apps: { factorio } }));
  await a.ask("mark", { nas });
});

let runs = 0;
function run(client: Client, request: RunRequest, pauseAt?: string, whenPaused?: (step: string) => Promise<void>) {
  const order = { config: lab.config, app: "factorio", runId: `run-${++runs}`, request };
  return client.ask("run", { ...order, ...(pauseAt && { pauseAt }) }, whenPaused);
}
const backUp = (client: Client, pauseAt?: string, whenPaused?: (step: string) => Promise<void>) =>
  run(client, { operation: "backup", allow: [] }, pauseAt, whenPaused);

const onServer = (path: string) => join(lab.served, path);
const latest = () => readFile(onServer("factorio/backups/latest.zip"));
const history = () => readdir(onServer("factorio/backups/history"));
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("a save is backed up to the export, found unchanged, and restored, byte for byte", async () => {
  const save = await play(lab.folder, 1000);
  const bytes = await readFile(save);
  expect((await backUp(a)).outcome).toBe("created");
  expect((await backUp(a)).outcome).toBe("unchanged");

  const [name, ...others] = await history();
  expect(others).toEqual([]);
  expect(await latest()).toEqual(bytes);
  expect(await readFile(onServer(`factorio/backups/history/${name}`))).toEqual(bytes);
  expect((await readFile(onServer(".keepsake/factorio/SHA256SUMS"), "utf8")).trim().split("\n").sort()).toEqual(
    [`history/${name}`, "latest.zip"].map((path) => `${sha256(bytes)}  factorio/backups/${path}`).sort(),
  );

  await rm(save);
  expect((await run(a, { operation: "restore", allow: [] })).outcome).toBe("restored");
  expect(await readFile(join(lab.saves, "homelab.zip"))).toEqual(bytes);
});

test("bytes that the server damages after they were written and fsynced are found by the read-back, where any other program reads what it wrote", async () => {
  await play(lab.folder, 1000);
  expect((await backUp(a)).outcome).toBe("created");
  const before = { latest: await latest(), history: await history() };
  const bytes = await readFile(await play(lab.folder, 2000));

  const outcome = await backUp(a, "^fsync .*/staging/[^/]*/save$", async (step) => {
    const path = step.slice("fsync ".length);
    const there = onServer(path.slice(lab.nas.length + 1));
    expect(await readFile(there), "all is on the server").toEqual(bytes);
    const { atime, mtime } = await stat(there);
    const file = await open(there, "r+");
    try {
      // In the date of the archive's first entry, which no format cares about.
      await file.write(Buffer.from([0xff]), 0, 1, 12);
      await file.utimes(atime, mtime);
    } finally {
      await file.close();
    }
    expect(await readFile(there), "is damaged").not.toEqual(bytes);
    expect(await a.ask("hash", { path }), "a buffered read calls it equal").toBe(sha256(bytes));
  });

  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "nas_write_failed" } });
  expect({ latest: await latest(), history: await history() }).toEqual(before);
});
