import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { leastWorkUs } from "../../../shared/testing.ts";
import { statusPage } from "./page.ts";
import { app, before, condition, nowMs, point, run, runs, scenes, view } from "./testing.ts";

const day = 86_400_000;
const pageOf = async (...args: Parameters<typeof view>) => (await statusPage(view(...args), nowMs)).text();
const countOf = (text: string, part: string) => text.split(part).length - 1;

test.each(Object.entries(scenes))("statusPage() draws one whole page: %s", async (_, scene) => {
  const text = await (await statusPage(scene(), nowMs)).text();
  expect(text).toMatch(/^<!doctype html>\n<html lang="en">[\s\S]*<\/html>\s*$/);
  expect(text).not.toMatch(/undefined|NaN|\[object|Invalid Date/);
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(ids).toEqual([...new Set(ids)]);
  for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
});

test("statusPage() allows its own style and script by their hashes, and nothing else", async () => {
  const response = await statusPage(view(), nowMs);
  const policy = response.headers.get("content-security-policy") ?? "";
  const text = await response.text();
  for (const tag of ["style", "script"]) {
    const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(text)?.[1] ?? "";
    expect(policy).toContain(`${tag}-src 'sha256-${createHash("sha256").update(content).digest("base64")}'`);
  }
  expect(policy).toContain("default-src 'none'");
  for (const closed of ["form-action", "frame-ancestors", "base-uri"]) expect(policy).toContain(`${closed} 'none'`);
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(text).not.toMatch(/ style="| on[a-z]+="/);
});

test("statusPage() refers to nothing outside itself", async () => {
  const text = await pageOf();
  const references = [...text.matchAll(/ (?:href|src|srcset|action|poster|data)="([^"]*)"/g)].map(([, to]) => to);
  expect(references.length).toBeGreaterThan(6);
  for (const reference of references) expect(reference).toMatch(/^(#|data:image\/svg)/);
  expect(text).not.toMatch(/url\(|@import/);
});

test("statusPage() shows what others wrote as text, never as markup", async () => {
  const evil = `<script>alert(1)</script>"'><img src=x>`;
  const text = await pageOf({
    apps: [app("factorio", evil, { sentence: evil, schedule: evil })],
    conditions: [condition({ id: "x", message: evil, hint: `make ${evil}` })],
    runs: [run("factorio", 1000, { message: evil, operation: evil })],
  });
  expect(countOf(text, "<script>")).toBe(1);
  expect(text).not.toContain("<img");
  expect(text).toContain("&lt;script&gt;alert(1)");
});

test("statusPage() draws the same few of a thousand runs as of two hundred, and says how many it left out", async () => {
  const text = await pageOf({ runs: runs(1000, ["factorio"]) });
  expect(countOf(text, `<div class="end">`)).toBe(115);
  expect(text).toContain("885 more as JSON");
  expect(text.length).toBeLessThan(1.01 * (await pageOf({ runs: runs(200, ["factorio"]) })).length);
});

test("statusPage() with six apps and a thousand runs is little work: that of some JSON.stringify of the same", async () => {
  const big = view({ runs: runs(1000, ["factorio", "sdtd"]) });
  const page = await leastWorkUs(async () => (await statusPage(big, nowMs)).text());
  expect(page, "microseconds of processor time").toBeLessThan(100_000);
  // About 5; one of 50 would take 30 ms where this one takes 3.
  expect(page / (await leastWorkUs(() => JSON.stringify(big)))).toBeLessThan(50);
});

test("statusPage() asks again soon while something runs, else now and then", async () => {
  const seconds = async (name: string) =>
    /data-refresh-seconds="(\d+)"/.exec(await (await statusPage(scenes[name]!(), nowMs)).text())?.[1];
  expect(await seconds("running")).toBe("3");
  expect(await seconds("all well")).toBe("30");
  expect(await pageOf()).toContain(`<noscript><meta http-equiv="refresh" content="30"></noscript>`);
});

test("statusPage() tells progress, with how much of it where that is known", async () => {
  const text = await (await statusPage(scenes.running!(), nowMs)).text();
  expect(text).toContain(`<progress max="1" value="0.6214"`);
  expect(text).toContain(" · copying · 870 MB of 1.4 GB · 62 %");
  expect(text).toContain(`<progress aria-label="Progress of the restore of Ollama">`);
});

test("statusPage() gives each restore point the command that restores it, and what is known of it", async () => {
  const text = await (await statusPage(scenes.failed!(), nowMs)).text();
  for (const { points } of scenes.failed!().apps)
    for (const { restore } of points) expect(text).toContain(`data-copy="${restore}"`);
  expect(text).toContain("3 days ago, in 12 s");
  expect(text).toContain("its bytes are not what they were");
});

test("statusPage() shows the command for the newest restore point that is not damaged", async () => {
  const points = [point("factorio", 1000, { damaged: "cut short" }), point("factorio", day)];
  const text = await pageOf({ apps: [app("factorio", "Factorio", { points })] });
  expect(/newest good one:<\/p>.*?data-copy="([^"]+)"/.exec(text)?.[1]).toBe(points[1]?.restore);
});

test("statusPage() does not tell the free space of a NAS that is away as if it were so", async () => {
  const text = await (await statusPage(scenes["NAS away"]!(), nowMs)).text();
  expect(text).not.toContain("free on the NAS");
  expect(text).toContain("free of 7.9 TB when it was last seen");
});

test("statusPage() tells the states of days in words, and names the bad ones", async () => {
  expect(await (await statusPage(scenes.failed!(), nowMs)).text()).toContain(
    `aria-label="The last 30 days: failed Thu 29 Jan and Fri 30 Jan · late Tue 13 Jan · 23 new · 4 unchanged"`,
  );
});

test("statusPage() says that the sizes grew, and draws them from nothing up", async () => {
  const sizes = [
    { at: before(2 * day), sizeBytes: 100 },
    { at: before(day), sizeBytes: 150 },
  ];
  const text = await pageOf({ apps: [app("factorio", "Factorio", { sizes })] });
  expect(text).toContain("150 B, 50 % more");
  expect(text).toContain(`<path class="line" d="M0 18.3H150.0V5.0H300"/>`);
});

test("statusPage() says when the watch has not looked for long", async () => {
  expect(await pageOf({ watchedAt: before(3 * 3_600_000) })).toContain("The watch last went round 3 h ago");
  expect(await (await statusPage(view({ watchedAt: undefined }), nowMs + 3 * 3_600_000)).text()).toContain(
    "3 h ago: what",
  );
  expect(await pageOf()).not.toContain("last went round");
});

test.each([
  ["make backup-factorio", "make backup-factorio", []],
  ["make pin-factorio AT='Thu 18:00'", "make pin-factorio AT=&#39;Thu 18:00&#39;", []],
  ["make backup-sdtd: every run puts that right first.", "make backup-sdtd", ["Every run puts that right first."]],
  ["See its log, and whether it runs: make doctor", "make doctor", ["See its log, and whether it runs:"]],
  ["Switch it on, or make room.", undefined, ["Switch it on, or make room."]],
])("statusPage() offers to copy the command of a hint, and says the rest of it: %s", async (hint, copied, said) => {
  const text =
    /<ul class="problems">.*?<\/ul>/s.exec(
      await pageOf({ conditions: [condition({ id: "c", message: "Bad.", hint })] }),
    )?.[0] ?? "";
  expect(/data-copy="([^"]*)"/.exec(text)?.[1]).toBe(copied);
  expect([...text.matchAll(/<p class="remedy">(.*?)<\/p>/g)].map(([, words]) => words)).toEqual(said);
});
