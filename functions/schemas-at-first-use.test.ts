import { expect, test } from "vitest";
import { z } from "zod";
import { madeAtFirstUse } from "./made-at-first-use.ts";
import { deferred } from "./schemas-at-first-use.ts";

test("deferred() defers what a module makes of z when it is loaded, and nothing else", () => {
  const source = [
    'import { z } from "zod";',
    "const mode = z.string().regex(/^[0-7]+$/).transform((text: string) => Number.parseInt(text, 8));",
    "export const Point = z.object({ mode, get near() { return z.array(Point); } });",
    "export type Point = z.infer<typeof Point>;",
    "export const schemaOf = (of: z.ZodType) => z.array(of);",
    "const shape = { mode };",
    "let count = 1, zones = zonesOf(z);",
  ];
  const wanted = source.with(1, source[1]?.replace(/= (.*);$/, "= madeAtFirstUse(() => $1);") as string);
  wanted[2] = source[2]?.replace(/= (.*);$/, "= madeAtFirstUse(() => $1);") as string;
  expect(deferred(source.join("\n"))).toBe(wanted.join("\n"));
});

test("madeAtFirstUse() makes a schema once, when it is asked for, and is as good as one inside of others", () => {
  let made = 0;
  const Name = madeAtFirstUse(() => {
    made += 1;
    return z.strictObject({ name: z.string() });
  });
  const Names = madeAtFirstUse(() =>
    z.object({ first: Name, others: z.array(Name).default([]), last: Name.optional() }),
  );
  const Either = madeAtFirstUse(() =>
    z.discriminatedUnion("kind", [Name.extend({ kind: z.literal("name") }), z.object({ kind: z.literal("none") })]),
  );
  expect(made).toBe(0);
  expect(Names.parse({ first: { name: "a" } })).toEqual({ first: { name: "a" }, others: [] });
  expect(Names.safeParse({ first: { name: "a", age: 1 } }).error?.issues).toMatchObject([{ path: ["first"] }]);
  expect(Either.parse({ kind: "name", name: "a" })).toEqual({ kind: "name", name: "a" });
  expect(Object.keys(Name.shape)).toEqual(["name"]);
  expect(Name instanceof z.ZodObject).toBe(true);
  expect(made).toBe(1);
});
