import { expect, test } from "vitest";
import { shareOf } from "./scrub-share.ts";
import type { ScrubEntry } from "./scrub-state.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A chance that is the same every time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** Scrubs for weeks. @returns The longest that a file was not read for, and the most that a run has read. */
function scrubFor(files: { path: string; sizeBytes: number }[], days: number, intervalMs: () => number) {
  const seenAtMs = Date.parse("2025-12-01T00:00:00Z");
  const memory = {
    creditBytes: 0,
    lastRunAtMs: undefined as number | undefined,
    files: Object.fromEntries(files.map(({ path }): [string, ScrubEntry] => [path, { seenAtMs }])),
  };
  let [nowMs, oldestMs, mostBytes] = [seenAtMs, 0, 0];
  while (nowMs < seenAtMs + 5 * days * dayMs) {
    const share = shareOf(files, memory, { nowMs, days });
    Object.assign(memory, { lastRunAtMs: nowMs, creditBytes: share.creditBytes });
    const bytes = share.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    mostBytes = Math.max(mostBytes, bytes);
    memory.creditBytes -= bytes;
    for (const { path } of share.files) {
      const entry = memory.files[path] as ScrubEntry;
      oldestMs = Math.max(oldestMs, nowMs - (entry.readAtMs ?? seenAtMs));
      entry.readAtMs = nowMs;
    }
    nowMs += intervalMs();
  }
  for (const { readAtMs = seenAtMs } of Object.values(memory.files)) oldestMs = Math.max(oldestMs, nowMs - readAtMs);
  return { oldestDays: oldestMs / dayMs, mostBytes };
}

const random = chance(7);
const mixed = Array.from({ length: 40 }, (_, index) => ({
  path: `file-${index}`,
  sizeBytes: Math.ceil(1e8 * random() ** 4),
}));

test.each([
  ["every hour", 7, () => hourMs],
  ["every four hours", 7, () => 4 * hourMs],
  ["once a day", 7, () => dayMs],
  // Nobody knows when the next run comes: one that is a day late is what it is late by.
  ["now and then", 7 + 31 / 24, () => hourMs + 30 * hourMs * random()],
])("shareOf() reads every file within the days, when it runs %s", (_, days, intervalMs) => {
  expect(scrubFor(mixed, 7, intervalMs).oldestDays).toBeLessThanOrEqual(days);
});

test("shareOf() spreads the reading: no run of a day reads much more than its share, and a file that is bigger", () => {
  const totalBytes = mixed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const biggest = Math.max(...mixed.map(({ sizeBytes }) => sizeBytes));
  expect(scrubFor(mixed, 7, () => dayMs).mostBytes).toBeLessThanOrEqual((2 * totalBytes) / 7 + biggest);
});

test("shareOf() goes on after a clock that ran ahead, and after a machine that slept for a month", () => {
  const nowMs = Date.parse("2025-12-19T18:00:00Z");
  const files = [{ path: "a", sizeBytes: 10 }, { path: "b", sizeBytes: 10 }]; // biome-ignore format: one line reads better
  const entry = { seenAtMs: nowMs - 40 * dayMs };
  const ahead = {
    creditBytes: 0,
    lastRunAtMs: nowMs + dayMs,
    files: { a: { ...entry, readAtMs: nowMs + dayMs }, b: entry },
  };
  expect(shareOf(files, ahead, { nowMs, days: 7 }).files.map(({ path }) => path)).toEqual(["b"]);
  const slept = { creditBytes: 5, lastRunAtMs: nowMs - 30 * dayMs, files: { a: entry, b: entry } };
  expect(shareOf(files, slept, { nowMs, days: 7 }).files).toHaveLength(2);
});

test("shareOf() reads everything when it is told to, and nothing twice in one moment when it is not", () => {
  const nowMs = Date.parse("2025-12-19T18:00:00Z");
  const files = [{ path: "a", sizeBytes: 10 }];
  const memory = { creditBytes: 10, lastRunAtMs: nowMs, files: { a: { seenAtMs: 0, readAtMs: nowMs } } };
  expect(shareOf(files, memory, { nowMs, days: 7 }).files).toEqual([]);
  expect(shareOf(files, memory, { nowMs, days: 7, all: true }).files).toEqual(files);
});
