import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { reliabilityPath, withComesBack, withOutages, withTable } from "./reliability.ts";

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

test("withOutages() replaces the outages' table, and nothing else", async () => {
  const text = await readFile(reliabilityPath, "utf8");
  const row = { orders: 720, kills: 4320, runs: 8641, messages: 4000, answersLost: 720, toldTwice: 300, neverTold: 0 };
  const once = withOutages(text, row, "2026-11-28");
  expect(once).toContain("| 720 | 4320 | 8641 | 4000 | 720 | 300 | 0 |\n");
  const around = (whole: string) => whole.replace(/<!-- outages -->[\s\S]*<!-- end of outages -->/, "");
  expect(around(once)).toBe(around(text));
});

test("withComesBack() replaces the table of apps that come back, and nothing else", async () => {
  const text = await readFile(reliabilityPath, "utf8");
  const row = { fault: "a power cut", when: "at noon", outcome: "killed", app: "back by a flush" };
  const once = withComesBack(text, [row], "2026-11-28");
  expect(once).toContain("| a power cut | at noon | killed | back by a flush |\n");
  const around = (whole: string) => whole.replace(/<!-- comes back -->[\s\S]*<!-- end of comes back -->/, "");
  expect(around(once)).toBe(around(text));
});

test("withTable() says when there is no place for it", () => {
  expect(() => withTable("# Nothing", rows, "2026-11-24")).toThrow("no place");
});
