import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readmePath } from "./blocks.ts";

const clone = join(import.meta.dirname, "../..");
const promises = await readFile(join(clone, "docs/promises.md"), "utf8");
const chapters = promises.split(/^## /m).slice(1);

test("docs/promises.md has the README's ten promises, numbered, each with its limits and its tests", async () => {
  const readme = (await readFile(readmePath, "utf8")).split("## What you can rely on")[1]?.split("\n## ")[0] ?? "";
  const numbers = (text: string) => [...text.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
  expect(numbers(readme)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(numbers(chapters.join(""))).toEqual(numbers(readme));
  for (const chapter of chapters) {
    expect(chapter).toMatch(/^Not covered/m);
    expect(chapter.split("\nTests:")[1], chapter).toMatch(/`[\w./-]+\.test\.ts`/);
  }
});

test("docs/promises.md names only tests that there are", async () => {
  const named = new Set([...promises.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, path = ""]) => path));
  expect(named.size).toBeGreaterThan(20);
  const missing: string[] = [];
  for (const path of named) await access(join(clone, path)).catch(() => missing.push(path));
  expect(missing).toEqual([]);
});

test("the README and docs/promises.md link to what there is", async () => {
  const readme = await readFile(readmePath, "utf8");
  for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g)) await access(join(clone, path));
});
