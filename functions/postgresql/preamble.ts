import { z } from "zod";
import { Failure } from "../../shared/failures.ts";
import { quoteName, quoteText } from "./sql.ts";

/*
 * What pg_dump leaves out of a dump: the roles, and the database's own properties. It stands before pg_dump's text:
 * as JSON in a comment, for Keepsake, and as SQL that makes the missing roles, for psql by hand. The SQL is nothing
 * but a function of the JSON; when a dump is read, it is compared with what the JSON gives, and never run.
 */

const RoleFacts = z.strictObject({
  name: z.string(),
  /** Could log in. Verifiers of passwords are not kept: the file lies on a NAS that people browse. */
  login: z.boolean(),
  superuser: z.boolean(),
  inherit: z.boolean(),
  /** Groups first: each name stands earlier in the list. */
  memberOf: z.array(z.string()),
});
export type RoleFacts = z.infer<typeof RoleFacts>;

/** `ALTER DATABASE … SET`, or with a role `ALTER ROLE … IN DATABASE … SET`. */
const SettingFacts = z.strictObject({ role: z.string().nullable(), name: z.string(), value: z.string() });
export type SettingFacts = z.infer<typeof SettingFacts>;

/** A right on the database itself; grantee null is PUBLIC. */
const GrantFacts = z.strictObject({ grantee: z.string().nullable(), privilege: z.string(), grantable: z.boolean() });

export const DatabaseFacts = z.strictObject({
  version: z.literal(1),
  database: z.string(),
  /** Of the server: pg_control_system(). */
  systemIdentifier: z.string(),
  owner: z.string(),
  encoding: z.string(),
  locale: z.strictObject({
    provider: z.enum(["libc", "icu", "builtin"]),
    collate: z.string(),
    ctype: z.string(),
    /** Of ICU or the built-in provider. */
    name: z.string().nullable(),
    rules: z.string().nullable(),
  }),
  comment: z.string().nullable(),
  connectionLimit: z.number().int(),
  /** null: nothing was ever granted or revoked. */
  grants: z.array(GrantFacts).nullable(),
  settings: z.array(SettingFacts),
  roles: z.array(RoleFacts),
});
export type DatabaseFacts = z.infer<typeof DatabaseFacts>;

const mark = "-- keepsake-database: ";
const end = "-- End of what Keepsake added.\n\n";
/** A preamble is read whole, so it is bounded. */
export const maxPreambleBytes = 4 << 20;

export function renderPreamble(facts: DatabaseFacts): string {
  return `--
-- What pg_dump leaves out: the roles that the database uses, and its properties.
-- Missing roles are made without login and without password; existing ones are left alone.
${mark}${JSON.stringify(facts)}
--

${rolesSql(facts.roles)}${end}`;
}

function rolesSql(roles: readonly RoleFacts[]): string {
  if (roles.length === 0) return "";
  const body = roles
    .map(({ name, inherit, memberOf }) => {
      const grants = memberOf.map((group) => `    GRANT ${quoteName(group)} TO ${quoteName(name)};\n`).join("");
      return `  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteText(name)}) THEN
    CREATE ROLE ${quoteName(name)} NOLOGIN${inherit ? "" : " NOINHERIT"};
${grants}  END IF;
`;
    })
    .join("");
  let tag = "$roles$";
  for (let n = 1; body.includes(tag); n++) tag = `$roles${n}$`;
  return `DO ${tag} BEGIN\n${body}END ${tag};\n\n`;
}

/** Whether a dump begins with one; decided by its first bytes. */
export const preambleStart = Buffer.from("--\n-- What pg_dump leaves out: ");

/**
 * @param bytes The first bytes of a dump.
 * @returns The facts and where pg_dump's own text begins; undefined when more bytes are needed.
 * @throws {Failure} `backup_damaged`, `backup_hostile` when the SQL is not what the JSON gives.
 */
export function parsePreamble(bytes: Buffer): { facts: DatabaseFacts; lengthBytes: number } | undefined {
  const from = bytes.indexOf(`\n${mark}`);
  const lineEnd = from < 0 ? -1 : bytes.indexOf("\n", from + 1);
  if (lineEnd < 0) return undefined;
  let facts: DatabaseFacts;
  try {
    facts = DatabaseFacts.parse(JSON.parse(bytes.toString("utf8", from + 1 + mark.length, lineEnd)));
  } catch (cause) {
    throw new Failure("backup_damaged", "Cannot read what the dump says of its database", { cause });
  }
  const wanted = Buffer.from(renderPreamble(facts));
  if (bytes.length < wanted.length) return undefined;
  if (!wanted.equals(bytes.subarray(0, wanted.length))) {
    throw new Failure("backup_hostile", "Cannot accept the dump: its statements about roles are not the expected ones");
  }
  return { facts, lengthBytes: wanted.length };
}
