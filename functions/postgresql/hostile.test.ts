import { mkdtempSync } from "node:fs";
import { chmod, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DatabaseContent, databaseContent, differences } from "../../deploy/local/lab/postgresql/compare.ts";
import {
  backUp,
  changedCopy,
  restoreFile,
  startTestLab,
  type TestLab,
} from "../../deploy/local/lab/postgresql/testing.ts";

let lab: TestLab;
let good: string;
/** The server's user has to be able to write here, for the proof to be one. */
const proofs = mkdtempSync(join(tmpdir(), "keepsake-proofs-"));
let before: DatabaseContent;
let names: string[];

beforeAll(async () => {
  lab = await startTestLab();
  await lab.fill("shared");
  await lab.sql("CREATE ROLE boss SUPERUSER");
  good = (await backUp(lab, "good.sql.gz")).path;
  await chmod(proofs, 0o777);
  before = await databaseContent(await lab.connection("shared"));
  names = await lab.names();
}, 60_000);
afterAll(async () => {
  await lab?.close();
  await rm(proofs, { recursive: true, force: true });
});

const touch = (name: string) => `touch ${join(proofs, name)}`;

/** A function that tries everything that could start a program, and then whatever it is told. */
const weapon = (name: string, first = "") => `
CREATE FUNCTION public.${name}() RETURNS integer LANGUAGE plpgsql AS $w$ BEGIN
  ${first}
  EXECUTE 'COPY (SELECT 1) TO PROGRAM ''${touch(name)}''';
  RETURN 1;
END $w$;`;

const matview = (name: string, first = "") =>
  `${weapon(name, first)}\nCREATE MATERIALIZED VIEW public.${name}_view AS SELECT public.${name}() AS x WITH NO DATA;\nREFRESH MATERIALIZED VIEW public.${name}_view;`;

const attacks: Record<string, [sql: string, code: string]> = {
  "a shell escape": [`\\! ${touch("shell")}`, "backup_hostile"],
  "a shell escape after SQL": [`SELECT 1 \\! ${touch("shell2")}`, "backup_hostile"],
  "\\copy from a program": [`\\copy public.empty from program '${touch("copy")}'`, "backup_hostile"],
  "\\g into a pipe": [`SELECT 1 \\g |${touch("g")}`, "backup_hostile"],
  "COPY FROM PROGRAM": [`COPY public.empty FROM PROGRAM '${touch("from")}';`, "backup_hostile"],
  "COPY TO PROGRAM": [`COPY public.empty TO PROGRAM '${touch("to")}';`, "backup_hostile"],
  "COPY FROM a file": ["COPY public.empty FROM '/etc/passwd';", "backup_hostile"],
  "COPY in comments": [`COPY/**/public.empty FROM/* stdin; */PROGRAM '${touch("comment")}';`, "backup_hostile"],
  "COPY FROM stdin with WHERE": ["COPY public.empty FROM stdin WHERE public.f() > 0;\n\\.\n", "backup_hostile"],
  "a newline in a name, in a comment": [`-- Name: odd\n\\! ${touch("newline")}\n; Type: TABLE`, "backup_hostile"],
  "an early \\unrestrict": [`\\unrestrict KEY\n\\! ${touch("early")}`, "backup_hostile"],
  "a second \\restrict": ["\\restrict other", "backup_hostile"],
  "a DO block": [`DO $$ BEGIN COPY (SELECT 1) TO PROGRAM '${touch("do")}'; END $$;`, "backup_hostile"],
  "a quote left open before a backslash": [`SELECT 'a'\\! ${touch("quote")}\n';`, "backup_hostile"],
  "an E string that ends late": [`SELECT E'\\'', '\\'; \n\\! ${touch("estring")}\n--';`, "backup_hostile"],
  "a dollar quote that is none": [`SELECT 1 AS a$$;\n\\! ${touch("dollar")}\n--$$;`, "backup_hostile"],
  "a nested comment": [`/* /* */ \n*/ \\! ${touch("nested")}`, "backup_hostile"],
  "another meaning of backslashes": [
    `SET standard_conforming_strings = off;\nSELECT '\\'; \\! ${touch("scs")}\n--';`,
    "backup_hostile",
  ],
  "an encoding that eats quotes": ["SET client_encoding = 'SJIS';", "backup_hostile"],
  "a membership": ["GRANT pg_execute_server_program TO keeper;", "backup_hostile"],
  "a superuser": ["ALTER ROLE keeper SUPERUSER;", "backup_hostile"],
  "another role": ["SET ROLE boss;", "backup_hostile"],
  "a system setting": [`ALTER SYSTEM SET archive_command = '${touch("system")}';`, "backup_hostile"],
  "a setting of the database": ["ALTER DATABASE shared SET session_preload_libraries = '/tmp/x';", "backup_hostile"],
  "another database": ["DROP DATABASE shared;", "backup_hostile"],
  "an expression where an owner is given": [
    `ALTER TABLE public.empty ALTER COLUMN nothing TYPE text USING public.f(), OWNER TO keeper;`,
    "restore_failed",
  ],
  "a materialized view's function": [matview("view"), "restore_failed"],
  "RESET ROLE in a function": [matview("resetrole", "RESET ROLE;"), "restore_failed"],
  "RESET SESSION AUTHORIZATION in a function": [matview("resetauth", "RESET SESSION AUTHORIZATION;"), "restore_failed"],
  "SET ROLE in a function": [matview("setrole", "SET ROLE postgres;"), "restore_failed"],
  "set_config of the role": [matview("config", "PERFORM set_config('role', 'postgres', false);"), "restore_failed"],
  "a SECURITY DEFINER function called at once": [
    `${weapon("definer")}\nALTER FUNCTION public.definer() SECURITY DEFINER;\nSELECT public.definer();`,
    "restore_failed",
  ],
  "a trigger that COPY fires": [
    `CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql AS $w$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''${touch("trigger")}'''; RETURN NEW; END $w$;
CREATE TABLE public.bait (a int);
CREATE TRIGGER fire BEFORE INSERT ON public.bait FOR EACH ROW EXECUTE FUNCTION public.fire();
COPY public.bait (a) FROM stdin;\n1\n\\.\n`,
    "restore_failed",
  ],
  "an index's function": [
    `${weapon("idx").replace("LANGUAGE plpgsql", "IMMUTABLE LANGUAGE plpgsql")}\nCREATE INDEX ON public.notes ((public.idx()));`,
    "restore_failed",
  ],
  "a function in C": [
    `CREATE FUNCTION public.c(text) RETURNS int LANGUAGE c AS 'libc.so.6', 'system';`,
    "restore_failed",
  ],
  "a file read": ["SELECT pg_catalog.pg_read_file('/etc/passwd');", "restore_failed"],
  "a large object from a file": ["SELECT pg_catalog.lo_import('/etc/passwd');", "restore_failed"],
  "an event trigger": [
    `${weapon("ev").replace("integer", "event_trigger").replace("RETURN 1;", "")}\nCREATE EVENT TRIGGER ev ON ddl_command_end EXECUTE FUNCTION public.ev();`,
    "override_needed",
  ],
  "an owner who is a superuser": [
    `${weapon("owned")}\nALTER FUNCTION public.owned() OWNER TO boss;`,
    "override_needed",
  ],
  "rights on the server's own functions": [
    "GRANT ALL ON FUNCTION pg_catalog.pg_read_file(text) TO PUBLIC;",
    "override_needed",
  ],
  "an untrusted extension": ["CREATE EXTENSION IF NOT EXISTS file_fdw WITH SCHEMA public;", "override_needed"],
  "statements about roles of its own": ["", "backup_hostile"],
};

test("the weapon works when a superuser runs it, so that what follows proves something", async () => {
  await lab.sql(`${matview("control")}`, "postgres");
  expect(await readdir(proofs)).toEqual(["control"]);
  await lab.sql("DROP FUNCTION control CASCADE");
});

test.each(Object.entries(attacks))(
  "a dump with %s starts no program and changes nothing",
  async (name, [sql, code]) => {
    const path = await changedCopy(lab, good, "hostile.sql.gz", (dump) => {
      if (sql === "") return dump.replace("  IF NOT EXISTS", "  PERFORM 1;\n  IF NOT EXISTS");
      const key = /\\restrict (\w+)/.exec(dump)?.[1] as string;
      const at = dump.lastIndexOf("--\n-- PostgreSQL database dump complete");
      return `${dump.slice(0, at)}${sql.replace("KEY", key)}\n\n${dump.slice(at)}`;
    });
    await expect(restoreFile(lab.context(), path), name).rejects.toMatchObject({ code });
    expect(await readdir(proofs)).toEqual(["control"]);
    expect(await lab.names()).toEqual(names);
    expect(await lab.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '^keepsake'")).toEqual([]);
  },
);

test("a password in a statement that fails is in no error", async () => {
  const path = await changedCopy(lab, good, "secret.sql.gz", (dump) =>
    dump.replace(
      "--\n-- PostgreSQL database dump complete",
      "CREATE USER MAPPING FOR keeper SERVER nowhere OPTIONS (user 'u', password 'hunter2');\n--\n-- PostgreSQL database dump complete",
    ),
  );
  const error = (await restoreFile(lab.context(), path).catch((cause) => cause)) as Error;
  expect(error.message).toMatch(/USER MAPPING FOR keeper SERVER nowhere OPTIONS \(user …/);
  expect(error.message).not.toContain("hunter2");
});

test("production is what it was, after all of them", async () => {
  expect(differences(before, await databaseContent(await lab.connection("shared")))).toEqual([]);
});

test("ALLOW=superuser-owner gives a superuser what the dump says, and still starts nothing", async () => {
  const path = await changedCopy(lab, good, "owner.sql.gz", (dump) =>
    dump.replace(
      "--\n-- PostgreSQL database dump complete",
      `${weapon("mine")}\nALTER FUNCTION public.mine() OWNER TO boss;
${weapon("seen").replace("integer", "event_trigger").replace("RETURN 1;", "")}
CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION public.seen();
ALTER EVENT TRIGGER seen OWNER TO boss;
--\n-- PostgreSQL database dump complete`,
    ),
  );
  await expect(restoreFile(lab.context(), path)).rejects.toMatchObject({
    code: "override_needed",
    message: expect.stringMatching(/FUNCTION public\.mine.* EVENT TRIGGER seen/s),
  });
  await restoreFile(lab.context({ allow: ["superuser-owner"] }), path);
  const after = await databaseContent(await lab.connection("shared"));
  expect(after.get("event trigger seen")).toBe("boss | ddl_command_end | public.seen");
  expect(after.get("function public.mine()")).toMatch(/^boss/);
  expect(await readdir(proofs)).toEqual(["control"]);
});
