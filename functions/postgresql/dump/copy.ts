import { quoteName, quoteNames } from "../sql.ts";
import { TokenReader, tokens } from "./tokens.ts";

export interface CopyTarget {
  /** For people and facts: `public.notes`. */
  readonly table: string;
  /** Written anew from the names alone, so that nothing else of the dump's text is in it. */
  readonly sql: string;
}

/** `COPY schema.table [(columns)] FROM stdin`, the one form that pg_dump writes; undefined for every other. */
export function copyTarget(statement: Buffer | string): CopyTarget | undefined {
  const read = new TokenReader(tokens(statement.toString()));
  if (!read.words("copy")) return undefined;
  const table = read.qualified();
  if (table === undefined || table.length > 2) return undefined;
  const columns: string[] = [];
  if (read.symbol("(")) {
    do {
      const column = read.name();
      if (column === undefined) return undefined;
      columns.push(quoteName(column));
    } while (read.symbol(","));
    if (!read.symbol(")")) return undefined;
  }
  if (!read.words("from", "stdin") || !read.done) return undefined;
  const list = columns.length > 0 ? ` (${columns.join(", ")})` : "";
  return { table: tableName(table), sql: `COPY ${quoteNames(table)}${list} FROM stdin` };
}

/** How tables are called in facts: plain where that is clear, quoted otherwise. */
export const tableName = (parts: readonly string[]) =>
  parts.map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteName(part))).join(".");
