import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { subjects } from "../../events/event.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";

const stack = await loadStackFile(join(import.meta.dirname, "../../stack.yml"), {});
const topics = new Map(stack.map(({ service, annotations }) => [service, annotations?.topic?.split(",") ?? []]));

test("stack.yml binds functions to subjects that there are, spelt as the connector wants them", () => {
  const known: string[] = [...Object.values(subjects), "cron-function"];
  for (const [service, wanted] of topics) expect(known, service).toEqual(expect.arrayContaining(wanted));
  expect(topics.get("cleanup-mapshot")).toEqual(["mapshot.rendered"]);
  const told = Object.values(subjects).filter((subject) => subject.startsWith("backups."));
  expect(topics.get("notify")?.toSorted()).toEqual(told.toSorted());
});

test("the README lists every subject", async () => {
  const readme = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
  const listed = [...readme.matchAll(/^\| `((?:backups|mapshot)\.\w+)` \| \S/gm)].map(([, subject]) => subject);
  expect(listed).toEqual(Object.values(subjects));
});

test("stack.yml has the fifteen functions that OpenFaaS CE allows, and schedules those alone that cron calls", () => {
  expect(stack).toHaveLength(15);
  for (const { service, annotations } of stack)
    expect(annotations?.schedule !== undefined, service).toBe(annotations?.topic === "cron-function");
});
