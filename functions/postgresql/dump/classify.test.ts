import { expect, test } from "vitest";
import { classify } from "./classify.ts";
import { copyTarget } from "./copy.ts";
import { rightsStatement } from "./rights.ts";

test.each([
  ["ALTER TABLE public.notes OWNER TO app", 'ALTER TABLE "public"."notes" OWNER TO "app"'],
  ['ALTER TABLE "a""b"."C d" OWNER TO "E;f"', 'ALTER TABLE "a""b"."C d" OWNER TO "E;f"'],
  ["ALTER MATERIALIZED VIEW Public.M OWNER TO App", 'ALTER MATERIALIZED VIEW "public"."m" OWNER TO "app"'],
  [
    "ALTER FUNCTION public.f(a integer, VARIADIC b text[], OUT c timestamp without time zone) OWNER TO app",
    'ALTER FUNCTION "public"."f"(a integer , VARIADIC b text [ ] , OUT c timestamp without time zone) OWNER TO "app"',
  ],
  ["ALTER AGGREGATE public.a(*) OWNER TO app", 'ALTER AGGREGATE "public"."a"(*) OWNER TO "app"'],
  ["ALTER OPERATOR public.=== (text, NONE) OWNER TO app", 'ALTER OPERATOR "public".===(text , NONE) OWNER TO "app"'],
  [
    "ALTER OPERATOR CLASS public.o USING btree OWNER TO app",
    'ALTER OPERATOR CLASS "public"."o" USING "btree" OWNER TO "app"',
  ],
  ["ALTER LARGE OBJECT 16400 OWNER TO app", 'ALTER LARGE OBJECT 16400 OWNER TO "app"'],
  [
    "GRANT SELECT,INSERT(a,b) ON TABLE public.t TO PUBLIC",
    'GRANT SELECT, INSERT ("a", "b") ON TABLE "public"."t" TO PUBLIC',
  ],
  [
    "GRANT ALL ON FUNCTION public.f() TO app WITH GRANT OPTION",
    'GRANT ALL ON FUNCTION "public"."f"() TO "app" WITH GRANT OPTION',
  ],
  [
    "REVOKE GRANT OPTION FOR USAGE ON SCHEMA public FROM app",
    'REVOKE GRANT OPTION FOR USAGE ON SCHEMA "public" FROM "app"',
  ],
  [
    "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO readers",
    'ALTER DEFAULT PRIVILEGES FOR ROLE "app" IN SCHEMA "public" GRANT SELECT ON TABLES TO "readers"',
  ],
  ["SET SESSION AUTHORIZATION app", 'SET SESSION AUTHORIZATION "app"'],
])("rightsStatement() writes %j anew from its names", (sql, wanted) => {
  expect(rightsStatement(sql)?.sql).toBe(wanted);
});

test.each([
  "ALTER TABLE t DROP COLUMN a, OWNER TO app",
  "ALTER TABLE t ALTER a TYPE text USING f(), OWNER TO app",
  "ALTER FUNCTION public.f(a integer = pg_sleep(1)) OWNER TO app",
  "ALTER FUNCTION public.f(a integer) SET search_path = x OWNER TO app",
  "ALTER TABLE t OWNER TO app; SELECT 1",
  "ALTER TABLE t OWNER TO app CASCADE",
  "ALTER TABLE t OWNER TO 'app'",
  'ALTER TABLE U&"t" OWNER TO app',
  "ALTER DATABASE shared OWNER TO app",
  "GRANT pg_execute_server_program TO app",
  "GRANT ALL ON DATABASE shared TO app",
  "GRANT SET ON PARAMETER x TO app",
  "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app",
  "GRANT SELECT ON TABLE t TO app GRANTED BY boss",
  "SET SESSION AUTHORIZATION DEFAULT, x",
])("rightsStatement() takes %j for none", (sql) => {
  expect(rightsStatement(sql)).toBeUndefined();
});

test("copyTarget() takes the one form that pg_dump writes", () => {
  expect(copyTarget('COPY public."T;x" (a, "B") FROM stdin')).toEqual({
    table: 'public."T;x"',
    sql: 'COPY "public"."T;x" ("a", "B") FROM stdin',
  });
  for (const sql of [
    "COPY t FROM PROGRAM 'true'",
    "COPY t FROM 'stdin'",
    "COPY t FROM stdin WITH (FORMAT csv)",
    "COPY t FROM stdin WHERE f()",
    "COPY (SELECT 1) TO stdout",
    "COPY a.b.c FROM stdin",
  ]) {
    expect(copyTarget(sql)).toBeUndefined();
  }
});

test.each([
  ["CREATE TABLE t (a int)", { kind: "run" }],
  ["SELECT pg_catalog.lo_create('16400')", { kind: "run", creates: "largeObject" }],
  ["CREATE SCHEMA archive", { kind: "schema", name: "archive" }],
  [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public",
    { kind: "extension", name: "pg_trgm", schema: "public" },
  ],
  [
    "COMMENT ON EXTENSION pg_trgm IS 'it''s \\'",
    { kind: "note", extension: "pg_trgm", sql: `COMMENT ON EXTENSION "pg_trgm" IS 'it''s \\'` },
  ],
  ["COMMENT ON TABLE public.t IS 'x'", { kind: "run" }],
  ["CREATE PUBLICATION p FOR ALL TABLES", { kind: "superuser", object: "PUBLICATION p", late: false }],
  ["COMMENT ON EVENT TRIGGER e IS 'x'", { kind: "superuser", object: "ON EVENT TRIGGER e", late: true }],
  ["SET standard_conforming_strings = on", { kind: "run" }],
])("classify() knows %j", (sql, wanted) => {
  expect(classify(sql)).toEqual(wanted);
});

test.each([
  "VACUUM",
  "LOAD 'x'",
  "SET ROLE boss",
  "SET LOCAL ROLE boss",
  "COMMENT ON DATABASE d IS 'x'",
  "CREATE TABLESPACE t LOCATION '/'",
  "ALTER SYSTEM SET a = 1",
  "",
])("classify() refuses %j", (sql) => expect(classify(sql).kind).toBe("refused"));
