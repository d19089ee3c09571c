import { quoteName, quoteNames } from "../sql.ts";
import { tableName } from "./copy.ts";
import { type Token, TokenReader, tokens } from "./tokens.ts";

/**
 * Owners and grants, which the admin's connection applies at the very end. A superuser sends these, so they are
 * taken apart down to the names and written anew: whatever does not fit the grammar, which has no place for an
 * expression, is no such statement.
 */
export type RightsStatement =
  | { kind: "owner"; object: string; role: string; sql: string }
  /** `builtIn`: about something of the server's own (pg_catalog). */
  | { kind: "grant"; object: string; role: string | undefined; builtIn: boolean; sql: string }
  /** The GRANTs that follow are given in this role's name, until `undefined` ends that. */
  | { kind: "grantor"; role: string | undefined; sql: string };

type Shape = "name" | "signature" | "operator" | "using" | "number";

/** Longer ones first: "FOREIGN DATA WRAPPER" before "FOREIGN". */
const kinds: readonly (readonly [words: string, shape: Shape])[] = [
  ["text search configuration", "name"],
  ["text search dictionary", "name"],
  ["foreign data wrapper", "name"],
  ["procedural language", "name"],
  ["materialized view", "name"],
  ["foreign server", "name"],
  ["foreign table", "name"],
  ["event trigger", "name"],
  ["operator family", "using"],
  ["operator class", "using"],
  ["large object", "number"],
  ["subscription", "name"],
  ["publication", "name"],
  ["statistics", "name"],
  ["conversion", "name"],
  ["collation", "name"],
  ["aggregate", "signature"],
  ["procedure", "signature"],
  ["function", "signature"],
  ["routine", "signature"],
  ["operator", "operator"],
  ["sequence", "name"],
  ["language", "name"],
  ["schema", "name"],
  ["server", "name"],
  ["domain", "name"],
  ["table", "name"],
  ["type", "name"],
  ["view", "name"],
];

/** @returns undefined when it is none of these. */
export function rightsStatement(sql: string): RightsStatement | undefined {
  const read = new TokenReader(tokens(sql));
  const found = read.words("set", "session", "authorization")
    ? grantor(read)
    : read.words("reset", "session", "authorization")
      ? { kind: "grantor" as const, role: undefined, sql: "RESET SESSION AUTHORIZATION" }
      : read.words("alter", "default", "privileges")
        ? defaultPrivileges(read)
        : read.words("alter")
          ? owner(read)
          : grant(read);
  return read.done ? found : undefined;
}

function grantor(read: TokenReader): RightsStatement | undefined {
  const role = read.name();
  return role === undefined
    ? undefined
    : { kind: "grantor", role, sql: `SET SESSION AUTHORIZATION ${quoteName(role)}` };
}

function owner(read: TokenReader): RightsStatement | undefined {
  const object = objectOf(read);
  if (!object || !read.words("owner", "to")) return undefined;
  const role = read.name();
  if (role === undefined) return undefined;
  return { kind: "owner", object: object.label, role, sql: `ALTER ${object.sql} OWNER TO ${quoteName(role)}` };
}

function grant(read: TokenReader): RightsStatement | undefined {
  const rights = rightsHead(read);
  if (!rights) return undefined;
  const object = objectOf(read);
  const grantee = object && granteeOf(read, rights.verb);
  if (!grantee) return undefined;
  const { builtIn } = object;
  return {
    kind: "grant",
    object: object.label,
    role: grantee.role,
    builtIn,
    sql: `${rights.sql} ON ${object.sql} ${grantee.sql}`,
  };
}

const defaultKinds = ["tables", "sequences", "functions", "routines", "types", "schemas"];

function defaultPrivileges(read: TokenReader): RightsStatement | undefined {
  if (!read.words("for", "role")) return undefined;
  const creator = read.name();
  const schema = read.words("in", "schema") ? read.name() : undefined;
  const rights = creator === undefined ? undefined : rightsHead(read);
  if (creator === undefined || !rights) return undefined;
  const large = read.words("large", "objects");
  const kind = large ? "LARGE OBJECTS" : defaultKinds.find((word) => read.words(word))?.toUpperCase();
  const grantee = kind && granteeOf(read, rights.verb);
  if (!grantee) return undefined;
  const where = schema === undefined ? "" : ` IN SCHEMA ${quoteName(schema)}`;
  return {
    kind: "grant",
    object: `default privileges of ${creator}`,
    role: grantee.role,
    builtIn: false,
    sql: `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteName(creator)}${where} ${rights.sql} ON ${kind} ${grantee.sql}`,
  };
}

const privileges = new Set(
  "all select insert update delete truncate references trigger usage create execute maintain".split(" "),
);

function rightsHead(read: TokenReader): { verb: "GRANT" | "REVOKE"; sql: string } | undefined {
  const verb = read.words("grant") ? "GRANT" : read.words("revoke") ? "REVOKE" : undefined;
  if (!verb) return undefined;
  const option = verb === "REVOKE" && read.words("grant", "option", "for") ? "GRANT OPTION FOR " : "";
  const list: string[] = [];
  do {
    const word = read.take("word")?.toLowerCase();
    if (word === undefined || !privileges.has(word)) return undefined;
    if (word === "all") read.words("privileges");
    const columns: string[] = [];
    if (read.symbol("(")) {
      do {
        const column = read.name();
        if (column === undefined) return undefined;
        columns.push(quoteName(column));
      } while (read.symbol(","));
      if (!read.symbol(")")) return undefined;
    }
    list.push(word.toUpperCase() + (columns.length > 0 ? ` (${columns.join(", ")})` : ""));
  } while (read.symbol(","));
  return read.words("on") ? { verb, sql: `${verb} ${option}${list.join(", ")}` } : undefined;
}

function granteeOf(read: TokenReader, verb: "GRANT" | "REVOKE"): { role: string | undefined; sql: string } | undefined {
  if (!read.words(verb === "GRANT" ? "to" : "from")) return undefined;
  const word = verb === "GRANT" ? "TO" : "FROM";
  const everyone = read.words("public");
  const role = everyone ? undefined : read.name();
  if (!everyone && role === undefined) return undefined;
  const option = verb === "GRANT" && read.words("with", "grant", "option") ? " WITH GRANT OPTION" : "";
  return { role, sql: `${word} ${role === undefined ? "PUBLIC" : quoteName(role)}${option}` };
}

interface DumpObject {
  /** For people: "FUNCTION public.total". */
  label: string;
  sql: string;
  builtIn: boolean;
}

function objectOf(read: TokenReader): DumpObject | undefined {
  const kind = kinds.find(([words]) => read.words(...words.split(" ")));
  if (!kind) return undefined;
  const words = kind[0].toUpperCase();
  if (kind[1] === "number") {
    const oid = read.take("number");
    return oid === undefined ? undefined : { label: `${words} ${oid}`, sql: `${words} ${oid}`, builtIn: false };
  }
  if (kind[1] === "operator") return operator(read);
  const name = read.qualified();
  if (name === undefined) return undefined;
  const tail = kind[1] === "signature" ? signature(read) : kind[1] === "using" ? using(read) : "";
  if (tail === undefined) return undefined;
  return {
    label: `${words} ${tableName(name)}`,
    sql: `${words} ${quoteNames(name)}${tail}`,
    builtIn: isBuiltIn(name[0] as string),
  };
}

const isBuiltIn = (schema: string) => schema.startsWith("pg_") || schema === "information_schema";

function operator(read: TokenReader): DumpObject | undefined {
  const schema = read.name();
  if (schema === undefined || !read.symbol(".")) return undefined;
  let sign = "";
  for (
    let token = read.peek();
    token?.kind === "symbol" && /[-+*/<>=~!@#%^&|`?]/.test(token.text);
    token = read.peek()
  ) {
    sign += read.take("symbol");
  }
  const types = signature(read);
  if (sign === "" || types === undefined) return undefined;
  const sql = `OPERATOR ${quoteName(schema)}.${sign}${types}`;
  return { label: `OPERATOR ${schema}.${sign}`, sql, builtIn: isBuiltIn(schema) };
}

function using(read: TokenReader): string | undefined {
  const method = read.words("using") ? read.name() : undefined;
  return method === undefined ? undefined : ` USING ${quoteName(method)}`;
}

/** The argument types of a function: names, and the few signs that types are written with. */
function signature(read: TokenReader): string | undefined {
  if (!read.symbol("(")) return undefined;
  const parts: string[] = [];
  for (let depth = 1; ; ) {
    const token = read.peek();
    if (!token || !belongsToType(token)) return undefined;
    read.take(token.kind);
    if (token.text === "(") depth++;
    if (token.text === ")" && --depth === 0) return `(${parts.join(" ")})`;
    parts.push(token.text);
  }
}

const belongsToType = ({ kind, text }: Token) =>
  kind === "word" || kind === "identifier" || kind === "number" || (kind === "symbol" && ",.[]*()".includes(text));
