import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { findServerBin } from "../deploy/local/lab/postgresql/server-bin.ts";
import { Disk } from "../shared/disk.ts";
import { initNas } from "../shared/nas/nas.ts";
import { Outcome } from "../shared/run/report.ts";
import { createStep } from "../shared/step.ts";
import { tempFolder } from "../shared/testing.ts";
import { ownNats, storedIn } from "../test/events/testing.ts";
import { layLab, places, play } from "../test/worlds/factorio.ts";

const run = promisify(execFile);
const clone = join(import.meta.dirname, "..");

/** A clone of its own, whose sources may be changed. */
async function copyOfSources(): Promise<string> {
  const folder = await tempFolder();
  for (const name of ["functions", "shared", "events", "package.json", "package-lock.json"]) {
    await cp(join(clone, name), join(folder, name), { recursive: true });
  }
  await symlink(join(clone, "node_modules"), join(folder, "node_modules"));
  return folder;
}

const build = (folder: string) => run(process.execPath, [join(folder, "functions/build.ts")]);
const find = (folder: string): Promise<string | undefined> =>
  import(join(folder, "functions/bundle.ts")).then(({ bundledRunner }) => bundledRunner());

async function backUp(runner: string, config: string, id: string, app = "factorio", env = {}): Promise<Outcome> {
  const path = join(config, "..", `${id}.json`);
  const request = { operation: "backup", app, allow: [] };
  const startedAt = new Date().toISOString();
  await writeFile(
    path,
    JSON.stringify({ id, function: `backup-${app}`, app, request, startedBy: "a test", startedAt }),
  );
  const options = { env: { ...process.env, ...env } };
  const { stdout } = await run(process.execPath, [runner, config, path], options).catch(
    (error: { stdout: string }) => error,
  );
  return Outcome.parse(JSON.parse(stdout.trim().split("\n").at(-1) as string));
}

test("a bundled runner backs up, tells NATS, and is not found any more once a source or a package is another one", async () => {
  const folder = await copyOfSources();
  expect(await find(folder)).toBeUndefined();
  await build(folder);
  const bundled = (await find(folder)) as string;
  // A part of the runner's would begin the run once more, in the thread.
  expect(await readFile(join(bundled, "../file-thread.cjs"), "utf8")).not.toMatch(/require\("\./);
  expect(bundled.startsWith(join(folder, "build/runner/"))).toBe(true);

  const lab = await tempFolder();
  await layLab(lab);
  await play(lab, 1000);
  const nats = await ownNats();
  const told = { NATS_URL: nats.url };
  expect((await backUp(bundled, places(lab).config, "one", "factorio", told)).outcome).toBe("created");
  expect(await storedIn(nats.url)).toEqual(["one.outcome"]);
  expect((await backUp(join(folder, "functions/run.ts"), places(lab).config, "two")).outcome).toBe("unchanged");
  expect((await backUp(bundled, places(lab).config, "three")).outcome).toBe("unchanged");

  await writeFile(join(folder, "shared/unrelated.test.ts"), "// no part of a runner");
  expect(await find(folder)).toBe(bundled);
  await appendFile(join(folder, "shared/step.ts"), "\n");
  expect(await find(folder)).toBeUndefined();
  await build(folder);
  const other = await find(folder);
  expect(other).not.toBe(bundled);
  await appendFile(join(folder, "package-lock.json"), "\n");
  expect(await find(folder)).toBeUndefined();
});

test("a bundled runner starts programs and reads what they say", async () => {
  const folder = await copyOfSources();
  await build(folder);
  const lab = await tempFolder();
  await mkdir(join(lab, "nas"));
  await initNas(join(lab, "nas"), new Disk(createStep()));
  const config = join(lab, "keepsake.yaml");
  // Nobody listens at port 1: that is found out after pg_dump has told its version.
  const postgresql = { host: "127.0.0.1", port: 1, passwordFile: join(lab, "none"), bin: await findServerBin() };
  await writeFile(config, JSON.stringify({ nas: "./nas", state: "./state", apps: { postgresql } }));
  const outcome = await backUp((await find(folder)) as string, config, "one", "postgresql");
  expect(outcome.failure).toMatchObject({
    code: "source_unreachable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("buildRunner() makes nothing twice, and removes what is older than a week, but what runs began with until now", async () => {
  const folder = await copyOfSources();
  for (const [name, day] of [
    ["0123", "2020-01-01"],
    ["4567", "2020-01-02"],
    ["89ab.1.tmp", "2020-01-03"],
  ] as const) {
    const old = join(folder, "build/runner", name);
    await mkdir(old, { recursive: true });
    await run("touch", ["-d", day, old]);
  }
  await build(folder);
  const [made, ...others] = (await readdir(join(folder, "build/runner"))).filter((name) => name !== "4567");
  expect(await readdir(join(folder, "build/runner"))).toContain("4567");
  expect(others).toEqual([]);
  const entry = join(folder, "build/runner", made as string, "run.cjs");
  const { mtimeMs } = await stat(entry);
  await build(folder);
  expect((await stat(entry)).mtimeMs).toBe(mtimeMs);
});
