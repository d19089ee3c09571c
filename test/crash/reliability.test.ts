import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { reliabilityPath, withTable } from "./reliability.ts";

const rows = [
  { app: "box", story: "box: a backup", steps: 12, killed: 12 },
  { app: "box", story: "box: a restore", steps: 30, killed: 9 },
];

test("withTable() replaces the table, and nothing else", async () => {
  const text = await readFile(reliabilityPath, "utf8");
  const once = withTable(text, rows, "2026-11-24");
  expect(once).toContain("2 stories, 21 kills");
  expect(once).toContain("| box: a backup | 12 | each |\n| box: a restore | 30 | 9 |\n");
  expect(withTable(once, rows, "2026-11-24")).toBe(once);
  const around = (whole: string) => whole.replace(/<!-- table -->[\s\S]*<!-- end of table -->/, "");
  expect(around(once)).toBe(around(text));
});

test("withTable() says when there is no place for it", () => {
  expect(() => withTable("# Nothing", rows, "2026-11-24")).toThrow("no place");
});
