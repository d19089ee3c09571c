import { mkdtemp, open, readdir, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readMarks } from "../../shared/nas/damage.ts";
import { openNas } from "../../shared/nas/nas.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import * as factorio from "../worlds/factorio.ts";
import * as mapshot from "../worlds/mapshot.ts";
import * as ollama from "../worlds/ollama.ts";
import { carry } from "../worlds/run.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-scrub-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = async (app: string, request: RunRequest) =>
  (await carry(join(folder, "keepsake.yaml"), app, request)).outcome;
const backUp = (app: string) => run(app, { operation: "backup", allow: [] });
const scrub = (app: string) => run(app, { operation: "scrub", all: true });
const marks = (app: string) => readMarks(openNas(join(folder, "nas")).app(app));

/** One bit, as a disk loses it: size and times stay. */
async function rot(path: string): Promise<void> {
  const { atime, mtime, size } = await stat(path);
  const file = await open(path, "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size >> 1);
  await file.write(Buffer.of((buffer[0] as number) ^ 1), 0, 1, size >> 1);
  await file.close();
  await utimes(path, atime, mtime);
}

test("a rotten latest.* is found although nothing tells of it, and the next backup makes it again", async () => {
  await factorio.layLab(folder);
  await factorio.play(folder, 1000);
  await backUp("factorio");
  const { backups } = factorio.places(folder);
  await rot(join(backups, "latest.zip"));
  expect(await scrub("factorio")).toMatchObject({
    outcome: "failed",
    message: expect.stringContaining('"factorio/backups/latest.zip"'),
    scrub: { good: [expect.any(String)] },
  });
  expect(await backUp("factorio")).toMatchObject({
    outcome: "unchanged",
    warnings: [expect.stringContaining("latest.zip was made again")],
  });
  expect(await scrub("factorio")).toMatchObject({ outcome: "scrubbed", warnings: [] });
  expect(await marks("factorio")).toEqual([]);
});

test("a rotten newest point is made again from latest.*; when that is rotten too, a new backup is made of the data", async () => {
  await factorio.layLab(folder);
  await factorio.play(folder, 1000);
  await backUp("factorio");
  const { backups } = factorio.places(folder);
  const [name] = await readdir(join(backups, "history"));
  const newest = join(backups, "history", name as string);
  await rot(newest);
  expect(await scrub("factorio")).toMatchObject({
    outcome: "failed",
    failure: { hint: expect.stringContaining("No restore point is known to be good any more.") },
  });
  expect(await backUp("factorio")).toMatchObject({ outcome: "unchanged" });
  expect(await scrub("factorio")).toMatchObject({ outcome: "scrubbed" });

  await rot(newest);
  await rot(join(backups, "latest.zip"));
  expect(await scrub("factorio")).toMatchObject({ outcome: "failed", scrub: { good: [] } });
  const { outcome, point } = await backUp("factorio");
  expect(outcome).toBe("created");
  expect(await scrub("factorio")).toMatchObject({ scrub: { good: [point?.id] } });
});

test("a rotten point pushes out none that is good: retention does not count it", async () => {
  await factorio.layLab(folder, { keep: 2 });
  for (const tick of [1000, 2000]) {
    await factorio.play(folder, tick);
    await backUp("factorio");
  }
  const { backups } = factorio.places(folder);
  const [oldest, newer] = (await readdir(join(backups, "history"))).sort() as [string, string];
  await rot(join(backups, "history", newer));
  await rot(join(backups, "latest.zip"));
  await scrub("factorio");
  await factorio.play(folder, 3000);
  expect(await backUp("factorio")).toMatchObject({ outcome: "created" });
  expect(await readdir(join(backups, "history"))).toContain(oldest);
});

test("a scrub and a drill at work keep neither a backup nor a restore from running, and another one of their kind waits", async () => {
  await factorio.layLab(folder);
  await factorio.play(folder, 1000);
  await backUp("factorio");
  const config = join(folder, "keepsake.yaml");
  for (const request of [{ operation: "scrub", all: true }, { operation: "drill" }] as const) {
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const onStep = async (what: string) => {
      if (!/state\.json|keepsake-drill/.test(what)) return;
      begun.resolve();
      await goOn.promise;
    };
    const checking = carry(config, "factorio", request, { onStep });
    await begun.promise;
    expect(await run("factorio", request)).toMatchObject({ outcome: "refused", failure: { code: "app_busy" } });
    expect((await backUp("factorio")).outcome).toBe("unchanged");
    expect((await run("factorio", { operation: "restore", allow: [] })).outcome).toBe("restored");
    goOn.resolve();
    expect((await checking).outcome.outcome).toBe(request.operation === "scrub" ? "scrubbed" : "proven");
  }
});

test("a rotten blob is reported, nothing is restored from it, and the next backup copies it again", async () => {
  await ollama.layLab(folder);
  await backUp("ollama");
  const blobs = join(ollama.places(folder).mirror, "blobs");
  const [name] = (await readdir(blobs)).sort();
  await rot(join(blobs, name as string));
  expect(await scrub("ollama")).toMatchObject({
    outcome: "failed",
    message: expect.stringContaining(`"ollama/backups/models/blobs/${name}"`),
    scrub: { good: [] },
  });
  expect((await backUp("ollama")).failure).toBeUndefined();
  expect(await scrub("ollama")).toMatchObject({ outcome: "scrubbed", scrub: { good: [expect.any(String)] } });
  expect(await marks("ollama")).toEqual([]);
});

test("a rotten tile is found among all of them and named, and the next backup makes the map whole again", async () => {
  await mapshot.layLab(folder);
  const render = await mapshot.render(folder);
  await backUp("mapshot");
  const map = join(mapshot.places(folder).map, "renders", render);
  const tile = (await readdir(map, { recursive: true })).filter((path) => path.endsWith(".jpg")).sort()[5] as string;
  await rot(join(map, tile));
  expect(await scrub("mapshot")).toMatchObject({
    outcome: "failed",
    message: expect.stringContaining(`"mapshot/renders/${render}/${tile}"`),
  });
  expect((await backUp("mapshot")).failure).toBeUndefined();
  expect(await scrub("mapshot")).toMatchObject({ outcome: "scrubbed" });
  expect(await run("mapshot", { operation: "drill" })).toMatchObject({ outcome: "proven" });
});
