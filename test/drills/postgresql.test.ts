import { copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { databaseContent } from "../../deploy/local/lab/postgresql/compare.ts";
import { stopLabServer } from "../../deploy/local/lab/postgresql/server.ts";
import { startTestLab, type TestLab } from "../../deploy/local/lab/postgresql/testing.ts";
import { serverHome } from "../../functions/postgresql/drill-server.ts";
import { identify } from "../../shared/run/process-identity.ts";
import { layDatabaseLab } from "../worlds/postgresql.ts";
import { carry } from "../worlds/run.ts";
import {
  backUp,
  drill,
  expectRejected,
  foldersOf,
  manifests,
  newest,
  plant,
  saveManifest,
  untouched,
} from "./drilling.ts";

let server: TestLab;
let backedUp: string;
let lab: { folder: string; app: string };

beforeAll(async () => {
  server = await startTestLab();
  await server.fill("shared");
  backedUp = await mkdtemp(join(tmpdir(), "keepsake-drill-"));
  await layDatabaseLab(backedUp, server.server);
  await backUp({ folder: backedUp, app: "postgresql" });
}, 60_000);
afterAll(async () => {
  await server?.close();
  await rm(backedUp, { recursive: true, force: true });
});

beforeEach(async () => {
  lab = { folder: await mkdtemp(join(tmpdir(), "keepsake-drill-")), app: "postgresql" };
  await cp(backedUp, lab.folder, { recursive: true, preserveTimestamps: true });
  return () => rm(lab.folder, { recursive: true, force: true });
});

/** For whoever waits for it: remembered for ever, or the garbage collector would close the files that hang on it. */
const dead = new Promise<never>(() => {});

const homeOf = async () => (await serverHome(join(lab.folder, "state/drills/keepsake-drill-postgresql"))).folder;
const isThere = async (folder: string) => (await readdir(folder).catch(() => undefined)) !== undefined;
const repacked = (change: (text: Buffer) => Buffer) => async (path: string) =>
  writeFile(path, gzipSync(change(gunzipSync(await readFile(path)))));

test("a drill proves every row in a server of its own, and touches nothing of production", async () => {
  const content = async () => [
    [...(await databaseContent(await server.connection("shared")))],
    await server.names(),
    await server.sql("SELECT rolname FROM pg_roles ORDER BY 1"),
  ];
  const before = await content();
  const outcome = await untouched(lab, [], () => drill(lab));
  const { facts } = await newest(lab);
  const tables = Object.keys(facts.tables as object).length;
  expect(outcome, outcome.message).toMatchObject({
    outcome: "proven",
    drill: {
      tookMs: expect.any(Number),
      compared: [`${tables} tables with ${facts.rows} rows`, `${facts.largeObjects} large objects`],
    },
  });
  expect(await content()).toEqual(before);
  expect(await isThere(await homeOf()), "the server and all of it are gone").toBe(false);
});

test("a dump that was cut inside COPY is rejected, though gzip and sums are right", async () => {
  const cut = (text: Buffer) => text.subarray(0, text.indexOf("\n", text.indexOf("\nCOPY ") + 200) + 40);
  await plant(lab, "dump", repacked(cut));
  await expectRejected(lab, /postgresql_\d+_\d+\.sql\.gz/, /cut off|COPY|end/);
});

test("a dump that lacks one row is rejected, though it is whole and its sums are right", async () => {
  const without = (text: Buffer) => {
    const from = text.indexOf("\n", text.indexOf("\nCOPY ") + 1) + 1;
    return Buffer.concat([text.subarray(0, from), text.subarray(text.indexOf("\n", from) + 1)]);
  };
  await plant(lab, "dump", repacked(without));
  await expectRejected(lab, /its manifest says \d+ rows of \S+, the dump holds \d+/, /postgresql_\d+_\d+\.sql\.gz/);
});

test("an older dump in the place of the newest is rejected, and so is an empty one", async () => {
  await server.sql("CREATE TABLE public.newer AS SELECT 1 AS one", "shared");
  await backUp(lab);
  await server.sql("DROP TABLE public.newer", "shared");
  const [older] = await manifests(lab);
  const from = join(foldersOf(lab).history, older?.files[0]?.name as string);
  await plant(lab, "dump", (path) => copyFile(from, path));
  await expectRejected(lab, /newer/);
  await plant(lab, "dump", (path) => writeFile(path, ""));
  await expectRejected(lab, /postgresql_\d+_\d+\.sql\.gz/);
});

test("a drill without a server of the dump's version, or without room, proves nothing and says what to do", async () => {
  const manifest = await newest(lab);
  await saveManifest(lab, { ...manifest, facts: { ...manifest.facts, serverVersion: "99.1" } });
  expect(await drill(lab)).toMatchObject({
    outcome: "inconclusive",
    drill: { hindrance: { code: "tool_missing", hint: expect.stringContaining("postgresql-99") } },
  });
  await saveManifest(lab, { ...manifest, facts: { ...manifest.facts, dumpBytes: 1e15 } });
  expect(await drill(lab)).toMatchObject({ outcome: "inconclusive", drill: { hindrance: { code: "no_space" } } });
  expect(await isThere(await homeOf())).toBe(false);
});

test("a dump that wants a superuser's rights is loaded only when the settings say so", async () => {
  const trigger = `CREATE FUNCTION public.noop() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER noop ON ddl_command_end EXECUTE FUNCTION public.noop()`;
  await server.sql(trigger, "shared");
  await backUp(lab);
  await server.sql("DROP EVENT TRIGGER noop; DROP FUNCTION public.noop()", "shared");
  expect(await drill(lab)).toMatchObject({
    outcome: "inconclusive",
    drill: { hindrance: { code: "override_needed", hint: expect.stringContaining("drillAsSuperuser: true") } },
  });
  const config = join(lab.folder, "keepsake.yaml");
  const { apps, ...rest } = JSON.parse(await readFile(config, "utf8"));
  const trusting = { postgresql: { ...apps.postgresql, drillAsSuperuser: true } };
  await writeFile(config, JSON.stringify({ ...rest, apps: trusting }));
  expect(await drill(lab, (await newest(lab)).id)).toMatchObject({ outcome: "proven" });
});

test("a drill that was cancelled ends its server, and the one after a drill that was killed ends the server of that", async () => {
  const stop = new AbortController();
  const config = join(lab.folder, "keepsake.yaml");
  const started = Promise.withResolvers<void>();
  const cancelled = await carry(config, "postgresql", { operation: "drill" }, {
    signal: stop.signal,
    onStep: (what) => (/^load the rows/.test(what) ? stop.abort() : undefined),
  }); // biome-ignore format: one line reads better
  expect(cancelled.outcome.outcome).toBe("cancelled");
  expect(await isThere(await homeOf())).toBe(false);
  // Killed: nothing of it goes on, and its server stays.
  const never = carry(config, "postgresql", { operation: "drill" }, {
    onStep: (what) => {
      if (!/^load the rows/.test(what)) return;
      started.resolve();
      return dead;
    },
  }); // biome-ignore format: one line reads better
  await Promise.race([started.promise, never]);
  const pid = Number.parseInt(await readFile(join(await homeOf(), "data/postmaster.pid"), "utf8"), 10);
  await identify(pid);
  for (const name of await readdir(join(foldersOf(lab).drill, "locks")))
    await rm(join(foldersOf(lab).drill, "locks", name));
  expect((await drill(lab)).outcome).toBe("proven");
  await expect(identify(pid)).rejects.toThrow("not running");
});

test("a drill needs neither production nor its password", async () => {
  await stopLabServer(server.server);
  expect(await drill(lab)).toMatchObject({ outcome: "proven" });
});
