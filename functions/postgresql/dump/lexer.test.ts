import fc from "fast-check";
import { expect, test } from "vitest";
import { DumpLexer } from "./lexer.ts";

/** One line for each part; chunks of the given size. */
function split(sql: string, chunkBytes = 1 << 20): string[] {
  const lexer = new DumpLexer();
  const bytes = Buffer.from(sql);
  const found: string[] = [];
  let data = "";
  const take = (parts: ReturnType<DumpLexer["feed"]>) => {
    for (const part of parts) {
      if (part.type === "data") data += part.bytes;
      else if (part.type === "dataEnd") found.push(`data ${data}`);
      else if (part.type === "statement") found.push(`statement ${part.text}`);
      else if (part.type === "comment") found.push(`comment ${part.text}`);
      else found.push(`${part.type} ${part.key}`);
      if (part.type === "dataEnd") data = "";
    }
  };
  for (let at = 0; at < bytes.length; at += chunkBytes) take(lexer.feed(bytes.subarray(at, at + chunkBytes)));
  take(lexer.finish());
  return found;
}

const cases: Record<string, [sql: string, parts: string[]]> = {
  "quotes, doubled too": ["SELECT 'a;''b;', \"c;\"\"d;\";", [`statement SELECT 'a;''b;', "c;""d;"`]],
  "a backslash in a plain string": ["SELECT '\\'; SELECT 2;", ["statement SELECT '\\'", "statement SELECT 2"]],
  "E strings": [
    "SELECT E'\\';', e'a''\\\\'; SELECT 2;",
    ["statement SELECT E'\\';', e'a''\\\\'", "statement SELECT 2"],
  ],
  "an identifier that ends in e": ["SELECT le'\\'; SELECT 2;", ["statement SELECT le'\\'", "statement SELECT 2"]],
  "dollar quotes, nested": [
    "SELECT $a$;$b$;$a$; SELECT $1, a$b;",
    ["statement SELECT $a$;$b$;$a$", "statement SELECT $1, a$b"],
  ],
  "comments inside a statement": [
    "SELECT 1 -- ;\n /* ; /* ; */ */ + 1;",
    ["statement SELECT 1 -- ;\n /* ; /* ; */ */ + 1"],
  ],
  "comments between": [
    "-- one; '\n/* two; */ SELECT 1;",
    ["comment -- one; '", "comment /* two; */", "statement SELECT 1"],
  ],
  parentheses: ["CREATE RULE r AS DO (SELECT 1; SELECT 2);", ["statement CREATE RULE r AS DO (SELECT 1; SELECT 2)"]],
  "BEGIN ATOMIC": [
    "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END; BEGIN; COMMIT;",
    [
      "statement CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END",
      "statement BEGIN",
      "statement COMMIT",
    ],
  ],
  "COPY data, terminator and all": [
    "COPY t (a) FROM stdin;\nx\\.\n\\\\.\n\\.x\n;'$$\n\\.\nSELECT 1;",
    ["statement COPY t (a) FROM stdin", "data x\\.\n\\\\.\n\\.x\n;'$$\n", "statement SELECT 1"],
  ],
  "no rows": ["COPY t FROM stdin;\n\\.\n", ["statement COPY t FROM stdin", "data "]],
  "restrict lines": [
    "\\restrict abc\nSELECT 1;\n\\unrestrict abc\n",
    ["restrict abc", "statement SELECT 1", "unrestrict abc"],
  ],
  "names of many bytes": ['SELECT "ü;€" , Größe;', ['statement SELECT "ü;€" , Größe']],
};

test.each(Object.entries(cases))("DumpLexer splits %s, however it is cut into chunks", (_, [sql, parts]) => {
  for (const chunkBytes of [1 << 20, 7, 3, 2, 1]) expect(split(sql, chunkBytes)).toEqual(parts);
});

test("DumpLexer finds the same parts in any chunks", () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    "$$",
    "$a$",
    "E'",
    "\\",
    "--",
    "/*",
    "*/",
    "\n",
    ";",
    "(",
    ")",
    "a",
    " ",
    "COPY t FROM stdin;\n",
    "\\.\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (pieces, chunkBytes) => {
      const outcome = (bytes: number) => {
        try {
          return split(pieces.join(""), bytes);
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      expect(outcome(chunkBytes)).toEqual(outcome(1 << 20));
    }),
    { numRuns: 500 },
  );
});

test.each([
  "\\! true",
  "SELECT 1 \\g",
  " \\restrict abc",
  "\\restrict a b",
  "\\restrict abc \\! true",
  "SELECT 1\n\\unrestrict abc\n;",
])("DumpLexer refuses %j", (sql) =>
  expect(() => split(`${sql}\n`)).toThrow(expect.objectContaining({ code: "backup_hostile" })),
);

test.each(["SELECT 'a", "SELECT 1", "/* a", "COPY t FROM stdin;\n1\n", "COPY t FROM stdin; 1", "SELECT \0;"])(
  "DumpLexer takes %j for cut off or broken",
  (sql) => expect(() => split(sql)).toThrow(expect.objectContaining({ code: "backup_damaged" })),
);

test("DumpLexer bounds a statement, and not the rows", () => {
  const lexer = new DumpLexer();
  const chunk = Buffer.alloc(1 << 20, "a\n");
  const feed = (bytes: Buffer) =>
    [...lexer.feed(bytes)].reduce((sum, part) => sum + (part.type === "data" ? part.rows : 0), 0);
  feed(Buffer.from("COPY t FROM stdin;\n"));
  let rows = 0;
  for (let n = 0; n < 40; n++) rows += feed(chunk);
  rows += feed(Buffer.from("\\.\nSELECT '"));
  expect(rows).toBe(40 << 19);
  expect(() => {
    for (let n = 0; n < 40; n++) feed(chunk);
  }).toThrow("at most 16777216 bytes");
});
