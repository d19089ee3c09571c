import { join } from "node:path";
import type { Plugin } from "rolldown";
import { parseAst } from "rolldown/parseAst";
import { root } from "./bundle.ts";

type Program = ReturnType<typeof parseAst>;
type Statement = Program["body"][number];
type Expression = NonNullable<Extract<Statement, { type: "VariableDeclaration" }>["declarations"][number]["init"]>;

/**
 * What modules make of `z` when they are loaded (`export const Outcome = z.object(…)`) is made when it is first used: of
 * the 900 schemas of all apps and operations a run uses a third, and to make them all took a tenth of its time.
 */
export const schemasAtFirstUse: Plugin = {
  name: "schemas at first use",
  transform(code, id) {
    if (!id.startsWith(root) || !code.includes('import { z } from "zod"')) return undefined;
    return `import { madeAtFirstUse } from ${JSON.stringify(join(root, "functions/made-at-first-use.ts"))};\n${deferred(code)}`;
  },
};

/** The same source with each schema that it makes at its top in a call of `madeAtFirstUse`. */
export function deferred(code: string): string {
  let text = code;
  // From the end, so that what comes before keeps its place.
  for (const { start, end } of schemasIn(parseAst(code, { lang: "ts" })).reverse()) {
    text = `${text.slice(0, start)}madeAtFirstUse(() => ${text.slice(start, end)})${text.slice(end)}`;
  }
  return text;
}

function schemasIn({ body }: Program): Expression[] {
  const statements = body.map((one) => (one.type === "ExportNamedDeclaration" ? (one.declaration ?? one) : one));
  const made = statements.flatMap((one) => (one.type === "VariableDeclaration" ? one.declarations : []));
  return made.flatMap(({ init }) => (init && isOfZod(init) ? [init] : []));
}

/** `z.object(…)`, `z.string().min(1)`. */
function isOfZod(node: Expression): boolean {
  if (node.type === "CallExpression") return isOfZod(node.callee);
  if (node.type === "MemberExpression") return isOfZod(node.object);
  return node.type === "Identifier" && node.name === "z";
}
