import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { subjects } from "../../events/event.ts";
import { loadStackFile } from "../../shared/stack/stack-file.ts";

const stack = await loadStackFile(join(import.meta.dirname, "../../stack.yml"), {});
const topics = new Map(stack.map(({ service, annotations }) => [service, annotations?.topic]));

test("stack.yml binds a function to one subject that there is: faas-netes refuses a list (buildAnnotations, CE)", () => {
  const known: (string | undefined)[] = [undefined, ...Object.values(subjects), "cron-function"];
  for (const [service, wanted] of topics) expect(known, service).toContain(wanted);
  expect(topics.get("cleanup-mapshot")).toBe("mapshot.rendered");
  expect(topics.get("notify")).toBe("backups.completed");
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
