import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestLab, type TestLab } from "../../deploy/local/lab/postgresql/testing.ts";
import { layDatabaseLab } from "../worlds/postgresql.ts";
import { limitBytes, runMeasured, sizeMiB } from "./measure.ts";

let lab: TestLab;
let folder: string;
beforeAll(async () => {
  lab = await startTestLab();
  folder = await mkdtemp(join(tmpdir(), "keepsake-memory-"));
}, 60_000);
afterAll(async () => {
  await lab?.close();
  await rm(folder, { recursive: true, force: true });
});

test(`a runner stays under 150 MB with a database of ${sizeMiB} MiB: backup and restore`, {
  timeout: 7_200_000,
}, async () => {
  const database = `size_${sizeMiB}`;
  await lab.sql("DROP ROLE IF EXISTS grower; CREATE ROLE grower");
  await lab.sql(`CREATE DATABASE ${database} OWNER grower`);
  // Lines of 1 KiB of text that compresses by half, as notes and logs do.
  await lab.sql(
    `CREATE TABLE notes (id int, body text); ALTER TABLE notes OWNER TO grower;
       INSERT INTO notes SELECT i, repeat(md5(i::text), 16) || repeat('keepsake', 64)
         FROM generate_series(1, ${sizeMiB * 1024}) i`,
    database,
  );
  const place = join(folder, database);
  await mkdir(place, { recursive: true });
  const config = await layDatabaseLab(place, lab.server, database);
  const backup = await runMeasured(config, "postgresql", { operation: "backup", allow: [] });
  expect(backup.outcome.failure).toBeUndefined();
  const restore = await runMeasured(config, "postgresql", { operation: "restore", allow: [] });
  expect(restore.outcome.failure).toBeUndefined();
  const peaks = [backup, restore].map(({ peakBytes }) => Math.round(peakBytes / 1e6));
  console.log(`PostgreSQL, ${sizeMiB} MiB: backup ${peaks[0]} MB, restore ${peaks[1]} MB`);
  expect(backup.peakBytes).toBeLessThan(limitBytes);
  expect(restore.peakBytes).toBeLessThan(limitBytes);
  for (const name of (await lab.names()).filter((found) => found.startsWith(database))) {
    await lab.sql(`ALTER DATABASE "${name}" WITH ALLOW_CONNECTIONS true`);
    await lab.sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await rm(place, { recursive: true });
});
