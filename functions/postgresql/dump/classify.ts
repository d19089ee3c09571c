import { quoteName } from "../sql.ts";
import { type CopyTarget, copyTarget } from "./copy.ts";
import { type RightsStatement, rightsStatement } from "./rights.ts";
import { head, TokenReader, tokens } from "./tokens.ts";

/** What is to be done with a statement of a dump. */
export type Statement =
  /** Sent as it stands, by a role that may do nothing outside of the scratch database. */
  | { kind: "run"; creates?: "largeObject" }
  | { kind: "copy"; target: CopyTarget }
  | { kind: "schema"; name: string }
  | { kind: "extension"; name: string; schema: string | undefined }
  | RightsStatement
  /** A comment on something that the admin made: an extension, or the schema public. */
  | { kind: "note"; extension?: string; sql: string }
  /** Only a superuser can have these: event triggers, subscriptions, publications of everything. */
  | { kind: "superuser"; object: string; late: boolean }
  | { kind: "refused"; why: string };

const allowed = new Set([
  "set",
  "select",
  "create",
  "alter",
  "comment",
  "begin",
  "commit",
  "refresh",
  "security",
  "insert",
]);

/** Settings that would make this reading of the dump another one than the server's. */
const encodings = new Set(["utf8", "utf-8", "unicode", "sql_ascii"]);

/**
 * Decides by the first words, and knows every form that pg_dump writes. It is not what keeps a hostile dump in
 * bounds (the role that runs the statements is), but what it refuses need not be tried.
 */
export function classify(sql: string): Statement {
  const words = head(sql, 6).map(({ kind, value, text }) => (kind === "word" ? value : text));
  const [first, second, third] = words;
  if (first === "copy") {
    const target = copyTarget(sql);
    return target ? { kind: "copy", target } : refused(words, "COPY of a table from the dump itself is wanted");
  }
  if (first === "grant" || first === "revoke" || first === "reset" || (second === "session" && first === "set")) {
    return rightsStatement(sql) ?? refused(words, "a grant of a right on one object to one role is wanted");
  }
  if (first === undefined || !allowed.has(first)) return refused(words, "pg_dump writes no such statement");
  switch (first) {
    case "alter":
      return alter(sql, words);
    case "create":
      return create(sql, words);
    case "comment":
      return comment(sql, words);
    case "set":
      return set(words);
    case "select":
      return third === "." && words[3] === "lo_create" ? { kind: "run", creates: "largeObject" } : { kind: "run" };
    default:
      return { kind: "run" };
  }
}

const outside = ["database", "system", "role", "user", "group", "tablespace"];

/** A user mapping is a foreign server's, which is in the database. */
const isOutside = ([, second = "", third]: string[]) =>
  outside.includes(second) && !(second === "user" && third === "mapping");

function alter(sql: string, words: string[]): Statement {
  const [, second, third] = words;
  const rights = rightsStatement(sql);
  if (rights) return rights;
  if (second === "default") return refused(words, "a default privilege of one role is wanted");
  if (second === "event" || second === "subscription" || (second === "publication" && /\bSCHEMA\b/i.test(sql))) {
    return superuser(sql, words);
  }
  return isOutside(words)
    ? refused(words, `nothing outside of the database (${second}) is wanted`)
    : third === undefined
      ? refused(words, "pg_dump writes no such statement")
      : { kind: "run" };
}

function create(sql: string, words: string[]): Statement {
  const [, second] = words;
  if (second === "schema") {
    const read = new TokenReader(tokens(sql));
    read.words("create", "schema");
    const name = read.name();
    return name !== undefined && read.done ? { kind: "schema", name } : refused(words, "CREATE SCHEMA name is wanted");
  }
  if (second === "extension") {
    const read = new TokenReader(tokens(sql));
    read.words("create", "extension");
    read.words("if", "not", "exists");
    const name = read.name();
    const schema = read.words("with", "schema") ? read.name() : undefined;
    return name !== undefined && read.done
      ? { kind: "extension", name, schema }
      : refused(words, "CREATE EXTENSION name WITH SCHEMA name is wanted");
  }
  if (second === "event" || second === "subscription") return superuser(sql, words);
  if (second === "publication" && /\bALL\s+TABLES\b|\bSCHEMA\b/i.test(sql)) {
    return superuser(sql, words);
  }
  return isOutside(words) ? refused(words, `nothing outside of the database (${second}) is wanted`) : { kind: "run" };
}

/** What the admin made before the dump's role began cannot be commented on by that role. */
const adminsComment =
  /^COMMENT ON (EXTENSION|SCHEMA) ("(?:[^"]|"")+"|[a-z_][a-z0-9_]*) IS (NULL|'[^']*(?:''[^']*)*')\s*$/;

function comment(sql: string, words: string[]): Statement {
  const subject = words[2] ?? "";
  if (subject === "event" || subject === "subscription") return superuser(sql, words);
  if (["database", "role", "tablespace"].includes(subject)) {
    return refused(words, `nothing outside of the database (${subject}) is wanted`);
  }
  if (subject !== "extension" && !(subject === "schema" && words[3] === "public")) return { kind: "run" };
  const [, kind, written = "", text] = adminsComment.exec(sql) ?? [];
  if (kind === undefined) return refused(words, "COMMENT ON … IS 'text' is wanted");
  const name = written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written;
  const note = `COMMENT ON ${kind} ${quoteName(name)} IS ${text}`;
  return { kind: "note", ...(kind === "EXTENSION" && { extension: name }), sql: note };
}

function set(words: string[]): Statement {
  const [, name, sign, value] = words;
  const plain = value?.replace(/^'(.*)'$/, "$1").toLowerCase() ?? "";
  if (name === "role" || name === "local") return refused(words, "nothing that changes the role is wanted");
  if (sign !== "=") return refused(words, "SET name = value is wanted");
  if (name === "standard_conforming_strings" && plain !== "on") {
    return refused(words, "standard_conforming_strings = on is wanted");
  }
  if (name === "client_encoding" && !encodings.has(plain)) return refused(words, "client_encoding = UTF8 is wanted");
  return { kind: "run" };
}

const superuser = (sql: string, words: string[]): Statement => ({
  kind: "superuser",
  object: objectLabel(sql),
  late: words.includes("event"),
});

/** "EVENT TRIGGER audit": the words up to and with the name. */
function objectLabel(sql: string): string {
  const [, ...rest] = head(sql, 6).map(({ kind, text }) => (kind === "string" ? "…" : text));
  const end = rest.findIndex((word) => !/^(on|event|trigger|subscription|publication)$/i.test(word));
  return rest.slice(0, end + 1).join(" ");
}

function refused(words: string[], wanted: string): Statement {
  return { kind: "refused", why: `${wanted}, is ${JSON.stringify(words.join(" ").slice(0, 120))}` };
}
