import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { databaseContent, differences } from "../../deploy/local/lab/postgresql/compare.ts";
import {
  backUp,
  changedCopy,
  restoreFile,
  startTestLab,
  type TestLab,
  verifyFile,
} from "../../deploy/local/lab/postgresql/testing.ts";
import type { Capture } from "../../shared/app.ts";
import { backup } from "./backup.ts";
import { clientWarning } from "./pg-tools.ts";

let lab: TestLab;
let saved: Capture & { path: string };

beforeAll(async () => {
  lab = await startTestLab();
  await lab.fill("shared");
  saved = await backUp(lab, "saved.sql.gz");
}, 60_000);
afterAll(() => lab?.close());

const text = async (path: string) => gunzipSync(await readFile(path)).toString();

test("a backup of unchanged data is the same file with the same checksum", async () => {
  await lab.sql("VACUUM (ANALYZE)", "shared");
  const again = await backUp(lab, "again.sql.gz");
  expect(again.checksums).toEqual(saved.checksums);
  expect(await readFile(again.path)).toEqual(await readFile(saved.path));
});

test("a backup's checksum changes with a row, a right, a setting", async () => {
  const seen = new Set([saved.checksums.get("dump")]);
  for (const [n, sql] of [
    "UPDATE notes SET body = body || '.' WHERE id = 1",
    "GRANT INSERT ON notes TO readers",
    "ALTER DATABASE shared SET work_mem TO '5MB'",
  ].entries()) {
    await lab.sql(sql, "shared");
    seen.add((await backUp(lab, `changed${n}.sql.gz`)).checksums.get("dump"));
    expect(seen.size).toBe(n + 2);
  }
  await lab.sql("ALTER DATABASE shared RESET work_mem; REVOKE INSERT ON notes FROM readers", "shared");
});

test("a backup's checksum does not know versions and keys", async () => {
  const other = await changedCopy(lab, saved.path, "other.sql.gz", (sql) =>
    sql
      .replace(/(Dumped (?:from database|by pg_dump) version) .*/g, "$1 15.99")
      .replace(/\\(un)?restrict \w+/g, "\\$1restrict other"),
  );
  expect((await verifyFile(other)).facts).toMatchObject({ dumpBytes: saved.sizeBytes, serverVersion: "15.99" });
});

test("a backup holds roles, but no password and no verifier", async () => {
  const sql = await text(saved.path);
  expect(sql).toContain('CREATE ROLE "visitor" NOLOGIN;\n    GRANT "readers" TO "visitor";');
  expect(sql).not.toMatch(/SCRAM|PASSWORD/);
});

test("verify() tells what is in a backup, and whose it is", async () => {
  const { facts, identity } = await verifyFile(saved.path);
  expect(facts).toMatchObject({
    database: "shared",
    largeObjects: 3,
    extensions: ["pg_trgm"],
    owners: ["keeper"],
    superuserOwners: [],
    tables: { "public.notes": 300, "archive.notes": 30, "public.empty": 0 },
  });
  expect(identity).toEqual((await backup.examine(lab.context())).identity);
});

test.each<[string, (gz: Buffer) => Buffer]>([
  ["cut off in the middle", (gz) => gz.subarray(0, gz.length >> 1)],
  ["cut off before its CRC", (gz) => gz.subarray(0, -8)],
  ["cut off by one byte", (gz) => gz.subarray(0, -1)],
  ["empty", () => Buffer.alloc(0)],
  ["not packed", (gz) => gunzipSync(gz)],
  ["followed by rubbish", (gz) => Buffer.concat([gz, Buffer.from("rubbish")])],
  ["followed by zeros", (gz) => Buffer.concat([gz, Buffer.alloc(512)])],
  ["followed by another member", (gz) => Buffer.concat([gz, gzipSync("SELECT 1;")])],
  ["with a bit flipped in its data", (gz) => flipped(gz, gz.length >> 1)],
  ["with a bit flipped in its CRC", (gz) => flipped(gz, gz.length - 6)],
  ["with a bit flipped in its length", (gz) => flipped(gz, gz.length - 2)],
  [
    "cut off in the middle of COPY data, packed well",
    (gz) => gzipSync(gunzipSync(gz).subarray(0, gunzipSync(gz).indexOf("Note 200"))),
  ],
])("verify() refuses a file %s", async (name, damage) => {
  const path = join(lab.folder, `${name.replaceAll(" ", "-")}.sql.gz`);
  await writeFile(path, damage(await readFile(saved.path)));
  await expect(verifyFile(path)).rejects.toMatchObject({ code: expect.stringMatching(/^backup_(damaged|hostile)$/) });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 16;
  return copy;
}

test.each<[string, (sql: string) => string]>([
  ["without a trailer", (sql) => sql.replace("-- PostgreSQL database dump complete", "--")],
  ["without a header", (sql) => sql.replace("-- PostgreSQL database dump\n", "--\n")],
  ["without \\unrestrict", (sql) => sql.replace(/\\unrestrict \w+\n/, "")],
  ["with another key in \\unrestrict", (sql) => sql.replace(/\\unrestrict \w+/, "\\unrestrict other")],
  ["that goes on after its trailer", (sql) => `${sql}\nSELECT 1;\n`],
  [
    "of a whole cluster",
    (sql) => sql.replace("-- PostgreSQL database dump\n", "-- PostgreSQL database cluster dump\n"),
  ],
  ["whose facts are no JSON", (sql) => sql.replace('{"version":1', '{"version":')],
])("verify() refuses a dump %s", async (_, change) => {
  const path = await changedCopy(lab, saved.path, "bad.sql.gz", change);
  await expect(verifyFile(path)).rejects.toMatchObject({ code: expect.stringMatching(/^backup_(damaged|hostile)$/) });
});

test("capture() fails when pg_dump fails, and says what it said, without the password", async () => {
  const bin = join(lab.folder, "bin");
  const password = (await readFile(lab.server.passwordFile, "utf8")).trim();
  await mkdir(bin);
  const script = `#!/bin/sh
case "$1" in --version) echo "pg_dump (PostgreSQL) 99.1"; exit;; --help) exit;; esac
printf -- '--\\n-- PostgreSQL database dump\\n--\\n'; echo "pg_dump: error: lost it with $PGPASSWORD" >&2; exit 1\n`;
  await writeFile(join(bin, "pg_dump"), script);
  await chmod(join(bin, "pg_dump"), 0o755);
  const error = await backUp(lab, "failed.sql.gz", { settings: { bin } }).catch((caught) => caught);
  expect(error).toMatchObject({ code: "tool_failed", message: expect.stringContaining("lost it with [redacted]") });
  expect(JSON.stringify(error) + error.message).not.toContain(password);
  await expect(readFile(join(lab.folder, "failed.sql.gz"))).rejects.toThrow("ENOENT");
});

test("examine() refuses a server that is away, a database that is missing or empty, a wrong password", async () => {
  const examine = (options: Parameters<TestLab["context"]>[0]) => backup.examine(lab.context(options));
  await expect(examine({ settings: { port: 1 } })).rejects.toMatchObject({ code: "source_unreachable" });
  await expect(examine({ settings: { passwordFile: "/dev/null" } })).rejects.toMatchObject({
    code: "source_unreachable",
  });
  await expect(examine({ database: "nowhere" })).rejects.toMatchObject({ code: "source_missing" });
  await lab.sql("CREATE DATABASE bare");
  await expect(examine({ database: "bare" })).rejects.toMatchObject({ code: "source_empty" });
  await expect(examine({ settings: { bin: "/nowhere" } })).rejects.toMatchObject({ code: "tool_missing" });
});

test("examine() connects through the socket's folder too", async () => {
  const { identity } = await backup.examine(lab.context({ settings: { host: lab.server.socketFolder as string } }));
  expect(identity).toEqual((await backup.examine(lab.context())).identity);
});

test("clientWarning() names what a client's psql is open to", () => {
  const warningOf = (major: number, minor: number) => clientWarning({ version: `${major}.${minor}`, major, minor });
  expect(warningOf(15, 13)).toContain("CVE-2025-8714");
  expect(warningOf(15, 18)).toContain("CVE-2026-18408");
  expect(warningOf(13, 30)).toContain("no release of it will");
  for (const [major, minor] of [
    [14, 24],
    [15, 19],
    [16, 15],
    [17, 11],
    [18, 6],
    [19, 0],
  ] as const) {
    expect(warningOf(major, minor)).toBeUndefined();
  }
});

test("a backup is restored by hand with psql alone", async () => {
  const wanted = await databaseContent(await lab.connection("shared"));
  const now = await backUp(lab, "now.sql.gz");
  const env = {
    PATH: process.env.PATH,
    PGPASSWORD: (await readFile(lab.server.passwordFile, "utf8")).trim(),
    PGHOST: lab.server.host,
    PGPORT: String(lab.server.port),
    PGUSER: lab.server.user,
  };
  execFileSync(
    "sh",
    [
      "-ec",
      'createdb -T template0 byhand; gunzip -c "$1" | psql -q -X -v ON_ERROR_STOP=1 -d byhand >&2',
      "sh",
      now.path,
    ],
    { env, stdio: "pipe" },
  );
  const different = differences(wanted, await databaseContent(await lab.connection("byhand")));
  expect(different.map((line) => line.split(":")[0])).toEqual(["database", "setting of all", "setting of visitor"]);
});

test("a dump of the incumbent's (no owners, no rights) becomes the database owner's", async () => {
  const dump = execFileSync(join(lab.server.bin, "pg_dump"), ["--no-owner", "--no-privileges", "-d", "shared"], {
    env: {
      PGPASSWORD: (await readFile(lab.server.passwordFile, "utf8")).trim(),
      PGHOST: lab.server.host,
      PGPORT: String(lab.server.port),
      PGUSER: lab.server.user,
    },
    maxBuffer: 1 << 28,
  });
  const path = join(lab.folder, "incumbent.sql.gz");
  await writeFile(path, gzipSync(dump));
  const before = await databaseContent(await lab.connection("shared"));
  await restoreFile(lab.context(), path);
  const after = await databaseContent(await lab.connection("shared"));
  expect(after.get("rows public.notes")).toBe(before.get("rows public.notes"));
  expect(after.get("relation public.notes")).toMatch(/^r \| keeper/);
  expect(after.get("database")).toBe(before.get("database"));
});
