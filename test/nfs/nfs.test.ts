import { createHash } from "node:crypto";
import { mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test as always, beforeAll, beforeEach, expect } from "vitest";
import type { Outcome } from "../../shared/run/report.ts";
import { expectTidyNas } from "../crash/nas-checks.ts";
import type { Client } from "./client.ts";
import { canExport, NfsExport } from "./export.ts";
import { NfsLab } from "./lab.ts";

const test = always.runIf(canExport);

let folder: string;
let nfs: NfsExport;
let a: Client;
let b: Client;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nfs-"));
  nfs = await NfsExport.start(folder);
  [a, b] = await Promise.all([nfs.boot("a"), nfs.boot("b")]);
});
afterAll(async () => {
  await nfs?.stop();
  await rm(folder, { recursive: true });
});

let lab: NfsLab;
let labs = 0;
beforeEach(async () => {
  lab = await NfsLab.lay(`lab-${++labs}`, folder, nfs, b);
});

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const numbered = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}-${n}`);

/** As the hint says of a run that was refused because of another machine's. */
async function removeLock({ failure }: Outcome): Promise<void> {
  await b.ask("remove", { path: /remove "([^"]*)"/.exec(failure?.hint ?? "")?.[1] ?? "" });
}

test("a save is backed up to the export, found unchanged, and restored, byte for byte", async () => {
  const bytes = await lab.play(1000);
  expect((await lab.backUp(a)).outcome).toBe("created");
  expect((await lab.backUp(a)).outcome).toBe("unchanged");

  const [name, ...others] = await lab.history();
  expect(others).toEqual([]);
  expect(await lab.latest()).toEqual(bytes);
  expect(await readFile(lab.onServer(`factorio/backups/history/${name}`))).toEqual(bytes);
  const sums = await readFile(lab.onServer(".keepsake/factorio/SHA256SUMS"), "utf8");
  const files = [`factorio/backups/history/${name}`, "factorio/backups/latest.zip"];
  expect(sums).toBe(files.map((file) => `${sha256(bytes)}  ${file}\n`).join(""));

  for (const save of await readdir(lab.saves)) await rm(join(lab.saves, save));
  expect((await lab.run(a, { operation: "restore", allow: [] })).outcome).toBe("restored");
  expect(await readFile(join(lab.saves, "homelab.zip"))).toEqual(bytes);
});

/** What the client wrote, and what the server copied of it by itself. */
const damaged = [
  { file: "save", isCached: true },
  { file: "save.latest", isCached: false },
];

test.each(damaged)(
  "a byte of staging's $file that the server changes after it was written and fsynced is found by the read-back",
  async ({ file, isCached }) => {
    await lab.play(1000);
    await lab.backUp(a);
    const before = { latest: await lab.latest(), history: await lab.history() };
    const bytes = await lab.play(2000);

    const outcome = await lab.backUp(a, {
      at: `^fsync .*/staging/[^/]*/${file}$`,
      meanwhile: async (step) => {
        const path = step.slice("fsync ".length);
        expect(await readFile(lab.servedAs(path)), "all is on the server").toEqual(bytes);
        await damage(lab.servedAs(path));
        expect(await readFile(lab.servedAs(path)), "it is damaged there").not.toEqual(bytes);
        // Who reads like any other program is told what was written, not what is there.
        if (isCached) expect(await a.ask("hash", { path }), "a buffered read calls it equal").toBe(sha256(bytes));
      },
    });

    expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "nas_write_failed" } });
    expect({ latest: await lab.latest(), history: await lab.history() }).toEqual(before);
  },
);

/** In the date of the archive's first entry, which no format cares about. Size and times stay. */
async function damage(path: string): Promise<void> {
  const { atime, mtime } = await stat(path);
  const file = await open(path, "r+");
  try {
    await file.write(Buffer.from([0xff]), 0, 1, 12);
    await file.utimes(atime, mtime);
  } finally {
    await file.close();
  }
}

test.each(["createExclusive", "renameExclusive"] as const)(
  "Disk.%s() gives each name to one of two clients, also where the other one has just seen that it is free",
  async (way) => {
    const claim = (client: Client, names: string[]) =>
      client.ask("claim", { way, folder: lab.onClient(""), names, content: client.name });

    const atOnce = numbered("at-once", 20);
    const [ofA, ofB] = await Promise.all([claim(a, atOnce), claim(b, atOnce)]);
    for (const [at, name] of atOnce.entries()) {
      expect([ofA[at], ofB[at]].sort(), name).toEqual([false, true]);
      expect(await readFile(lab.onServer(name), "utf8"), name).toBe(ofA[at] ? "a" : "b");
    }

    const seen = numbered("seen", 20);
    expect(await b.ask("exist", { paths: seen.map(lab.onClient, lab) })).not.toContain(true);
    expect(await claim(a, seen)).not.toContain(false);
    expect(await claim(b, seen)).not.toContain(true);
    for (const name of seen) expect(await readFile(lab.onServer(name), "utf8"), name).toBe("a");
  },
);

test("takeLock() gives the lock to one of two clients, tells the other one, and passes it on when it is given back", async () => {
  const folders = numbered("locks", 8).map(lab.onClient, lab);
  const [ofA, ofB] = await Promise.all([a.ask("lock", { folders }), b.ask("lock", { folders })]);
  for (const [at, path] of folders.entries()) expect([ofA[at], ofB[at]].sort(), path).toEqual([1, "app_busy"]);
  await a.ask("release", {});
  await b.ask("release", {});

  expect(await b.ask("lock", { folders })).toEqual(folders.map(() => 2));
  expect(await a.ask("lock", { folders })).toEqual(folders.map(() => "app_busy"));
  await b.ask("release", {});
  expect(await a.ask("lock", { folders })).toEqual(folders.map(() => 3));
  await a.ask("release", {});
});

test("Lock.fence() sees at once that the lock was given away, whatever the client has in its cache", async () => {
  const locks = lab.onClient("locks");
  expect(await a.ask("lock", { folders: [locks] })).toEqual([1]);
  for (let n = 0; n < 5; n++) expect(await a.ask("fence", {})).toEqual([true]);
  await b.ask("remove", { path: join(locks, "0000000001.json") });
  // It has the name and the number of the one before.
  expect(await b.ask("lock", { folders: [locks] })).toEqual([1]);
  expect(await a.ask("fence", {})).toEqual(["lock_lost"]);
  await b.ask("release", {});
});

test("a run keeps those of other clients away, and stops when its lock is given away by hand", async () => {
  await lab.play(1000);
  const lost = await lab.backUp(a, {
    at: "^create .*/points/",
    meanwhile: async () => {
      const refused = await lab.backUp(b);
      expect(refused).toMatchObject({ outcome: "refused", failure: { code: "app_busy" } });
      await removeLock(refused);
      expect((await lab.backUp(b)).outcome).toBe("created");
    },
  });
  expect(lost).toMatchObject({ outcome: "failed", failure: { code: "lock_lost" } });

  const last = await lab.backUp(b);
  expect(last.outcome).toBe("unchanged");
  await lab.expectSound();
  expect(await lab.history()).toHaveLength(1);
  await expectTidyNas(lab.onServer(""), "factorio", [last.runId]);
});

/** Where in a backup a machine's power goes: what it has not sent to the server is gone. */
const powerCuts = [
  { moment: "half the save is written", at: "^write the rest of .*/save$", once: "it is started again" },
  { moment: "only latest.* is missing", at: "^rename .*/save\\.latest to ", once: "its lock is removed by hand" },
];

test.each(powerCuts)(
  "a client that is gone when $moment leaves latest.* whole, and the next run, once $once, puts all in order",
  async ({ at, once }) => {
    await lab.play(1000);
    await lab.backUp(a);
    const before = await lab.latest();
    const bytes = await lab.play(2000);
    await expect(lab.backUp(a, { at, meanwhile: () => a.kill() })).rejects.toThrow("The client is gone");
    expect(await lab.latest()).toEqual(before);
    await lab.expectSound();

    const refused = await lab.backUp(b);
    expect(refused).toMatchObject({ outcome: "refused", failure: { code: "app_busy" } });
    const isBack = once === "it is started again";
    if (isBack) a = await nfs.boot("a");
    else await removeLock(refused);
    const next = await lab.backUp(isBack ? a : b);
    expect(next.failure).toBeUndefined();
    expect(await lab.latest()).toEqual(bytes);
    await lab.expectSound();
    expect(await lab.history()).toHaveLength(2);
    await expectTidyNas(lab.onServer(""), "factorio", [next.runId]);
  },
);
