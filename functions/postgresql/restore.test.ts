import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type DatabaseContent, databaseContent, differences } from "../../deploy/local/lab/postgresql/compare.ts";
import {
  backUp,
  pointOf,
  restoreFile,
  startTestLab,
  type TestLab,
  withFiles,
} from "../../deploy/local/lab/postgresql/testing.ts";
import type { Capture } from "../../shared/app.ts";
import { DatabaseTarget } from "./database-target.ts";

let lab: TestLab;
let saved: Capture & { path: string };
let original: DatabaseContent;
const content = async (database = "shared") => databaseContent(await lab.connection(database));

beforeAll(async () => {
  lab = await startTestLab();
  await lab.fill("shared");
  original = await content();
  saved = await backUp(lab, "saved.sql.gz");
}, 60_000);
afterAll(() => lab?.close());

/** What an app would have done meanwhile: the present data is another than the backup's. */
beforeEach(async () => {
  for (const name of await lab.names()) {
    if (!["postgres", "template0", "template1"].includes(name)) await lab.sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await lab.fill("shared");
  await lab.sql("DELETE FROM archive.notes; UPDATE notes SET title = 'newer'", "shared");
  present = await content();
});
let present: DatabaseContent;

test("restore brings back every row, object, owner, right and setting", async () => {
  const ctx = lab.context();
  await restoreFile(ctx, saved.path, pointOf(saved));
  expect(differences(original, await content())).toEqual([]);
  expect(ctx.warnings).toEqual([]);
  expect(await lab.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '^keepsake'")).toEqual([]);
});

test("restore keeps what it replaced, closed, and tells its run", async () => {
  await restoreFile(lab.context({ runId: "restore.7" }), saved.path, pointOf(saved));
  const target = new DatabaseTarget(lab.context());
  expect(await target.asides()).toEqual([
    {
      id: "restore.7",
      setAsideAtMs: Date.UTC(2025, 11, 19, 18),
      sizeBytes: expect.any(Number),
      label: "database shared_old_20251219_180000",
    },
  ]);
  await expect(lab.sql("SELECT 1", "shared_old_20251219_180000")).rejects.toThrow(
    "not currently accepting connections",
  );
});

test("undo puts back what the restore replaced, and can be undone itself", async () => {
  await restoreFile(lab.context({ runId: "restore.1" }), saved.path, pointOf(saved));
  for (const wanted of [present, original]) {
    const target = new DatabaseTarget(
      lab.context({ runId: `undo.${wanted === present}`, now: Date.UTC(2025, 11, 20) }),
    );
    const [aside] = await target.asides();
    await target.stageAside(aside as never);
    await target.swap();
    await target.commit();
    expect(differences(wanted, await content())).toEqual([]);
    expect(await target.asides()).toHaveLength(1);
  }
});

test("restore makes the database when it is gone, and the missing roles without login", async () => {
  await lab.sql("DROP DATABASE shared");
  await lab.sql("DROP ROLE visitor; DROP ROLE readers");
  const ctx = lab.context();
  expect(await new DatabaseTarget(ctx).present()).toBeUndefined();
  await restoreFile(ctx, saved.path, pointOf(saved));
  expect(differences(original, await content())).toEqual([]);
  expect(ctx.warnings).toEqual([
    'The role "readers" was missing; it was made without login.',
    `The role "visitor" was missing; it was made without login. To let it in again: ALTER ROLE "visitor" LOGIN PASSWORD '…'.`,
  ]);
  expect(
    await lab.sql(
      "SELECT rolcanlogin, rolpassword, pg_has_role('visitor', 'readers', 'MEMBER') AS reads, shobj_description(oid, 'pg_authid') AS said FROM pg_authid WHERE rolname = 'visitor'",
    ),
  ).toEqual([{ rolcanlogin: false, rolpassword: null, reads: true, said: null }]);
});

test("restore brings back foreign servers with their user mappings", async () => {
  await lab.sql(
    `CREATE EXTENSION postgres_fdw; CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw;
     CREATE USER MAPPING FOR keeper SERVER other OPTIONS (user 'u', password 'p')`,
    "shared",
  );
  const mapped = await backUp(lab, "mapped.sql.gz");
  const mappings = "SELECT usename, array_to_string(umoptions, ' ') AS options FROM pg_user_mappings";
  await restoreFile(lab.context({ allow: ["superuser-owner"] }), mapped.path, pointOf(mapped));
  expect(await lab.sql(mappings, "shared")).toEqual([{ usename: "keeper", options: "password=p user=u" }]);
});

test("present() tells what is there, and undefined for an empty database", async () => {
  const target = new DatabaseTarget(lab.context());
  expect(await target.present()).toMatchObject({
    label: "database shared, 7 tables",
    identity: { label: expect.stringMatching(/^PostgreSQL system \d+, database shared$/) },
    changedAtMs: expect.any(Number),
  });
  await lab.sql("CREATE DATABASE empty");
  expect(await new DatabaseTarget(lab.context({ database: "empty" })).present()).toBeUndefined();
});

test("swap() ends the sessions that are open", async () => {
  const { default: pg } = await import("pg");
  const app = new pg.Client(await lab.connection("shared"));
  const ended = new Promise((resolve) => app.on("error", resolve));
  await app.connect();
  await app.query("BEGIN; SELECT * FROM notes");
  await restoreFile(lab.context(), saved.path, pointOf(saved));
  expect(String(await ended)).toMatch(/terminat/);
  expect(differences(original, await content())).toEqual([]);
});

test("a failing swap leaves production open", async () => {
  const ctx = lab.context();
  const target = new DatabaseTarget(ctx);
  await withFiles(saved.path, (files) => target.stage(files, pointOf(saved)));
  // Somebody takes the staged database away.
  await lab.sql(
    `ALTER DATABASE "${(await lab.names()).find((name) => name.startsWith("keepsake_"))}" RENAME TO elsewhere`,
  );
  await expect(target.swap()).rejects.toMatchObject({ code: "restore_failed" });
  expect(differences(present, await content())).toEqual([]);
});

test("place() puts it beside production", async () => {
  const target = new DatabaseTarget(lab.context());
  const place = (to: string) => withFiles(saved.path, (files) => target.place(files, pointOf(saved), to));
  expect(await place("looked-at")).toMatch(/^database "looked-at" on 127\.0\.0\.1:\d+$/);
  expect(differences(original, await content("looked-at"))).toEqual([]);
  expect(differences(present, await content())).toEqual([]);
  await expect(place("looked-at")).rejects.toMatchObject({ code: "target_exists" });
  await expect(place("shared")).rejects.toMatchObject({ code: "target_exists" });
  await expect(place('x"; DROP')).rejects.toMatchObject({ code: "target_invalid" });
});

test("removeAside() drops what was set aside, and may run twice", async () => {
  await restoreFile(lab.context(), saved.path, pointOf(saved));
  const target = new DatabaseTarget(lab.context());
  const [aside] = await target.asides();
  await target.removeAside(aside as never);
  await target.removeAside(aside as never);
  expect(await target.asides()).toEqual([]);
  expect(await lab.names()).toEqual(["postgres", "shared", "template0", "template1"]);
});

test("stage() refuses a dump whose rows are not those of the manifest", async () => {
  const point = pointOf({
    ...saved,
    facts: { ...saved.facts, tables: { ...(saved.facts?.tables as object), "public.notes": 301 } },
  });
  await expect(restoreFile(lab.context(), saved.path, point)).rejects.toMatchObject({
    code: "backup_damaged",
    message: expect.stringContaining("301 rows of public.notes, the dump holds 300"),
  });
  expect(differences(present, await content())).toEqual([]);
});
