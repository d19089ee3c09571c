import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunRequest } from "../../shared/run/description.ts";
import { readTree } from "../../shared/testing.ts";
import { formatLocal } from "../../shared/words.ts";
import { layLab, places, play } from "../worlds/factorio.ts";
import { carry } from "../worlds/run.ts";

const hourMs = 3_600_000;
let folder: string;
let nowMs: number;
beforeEach(async () => {
  nowMs = Date.parse("2025-12-19T18:00:00Z");
  folder = await mkdtemp(join(tmpdir(), "keepsake-pause-"));
  await layLab(folder);
  await play(folder, 1000);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (request: RunRequest, authorised?: true) =>
  carry(places(folder).config, "factorio", request, { now: () => nowMs, ...(authorised && { authorised }) });
const backup: RunRequest = { operation: "backup", allow: [] };
const statePath = () => join(places(folder).nas, ".keepsake/factorio/state.json");
const pausePath = () => join(places(folder).nas, ".keepsake/factorio/pause.json");
/** Of a pause of two hours, as people read it where this runs. */
const end = formatLocal(Date.parse("2025-12-19T20:00:00Z"), Intl.DateTimeFormat().resolvedOptions().timeZone);
const pause = () => run({ operation: "pause", forSeconds: 7200 }, true);

test("a pause lets what schedules start end at once, with an event, and touches neither backups nor state", async () => {
  expect((await run(backup)).outcome.outcome).toBe("created");
  expect((await pause()).outcome).toMatchObject({
    outcome: "paused",
    message: `Factorio: nothing runs by itself until ${end}`,
  });
  await play(folder, 2000);
  const [before, state] = [await readTree(places(folder).backups), await readFile(statePath(), "utf8")];
  nowMs += 2 * hourMs - 1;
  for (const request of [backup, { operation: "scrub", all: true }, { operation: "drill" }] as RunRequest[]) {
    const { outcome, told, steps } = await run(request);
    expect(outcome).toMatchObject({
      outcome: "postponed",
      message: `Factorio: postponed: paused until ${end}`,
    });
    expect(outcome.failure).toBeUndefined();
    expect(told.map(({ data }) => data)).toMatchObject([{ outcome: "postponed", operation: request.operation }]);
    expect(steps.filter((step) => !/\/(outbox|runs)\b/.test(step))).toEqual([]);
  }
  expect(await readTree(places(folder).backups)).toEqual(before);
  expect(await readFile(statePath(), "utf8")).toBe(state);
});

test("a pause ends by itself", async () => {
  await pause();
  expect((await run(backup)).outcome.outcome).toBe("postponed");
  nowMs += 2 * hourMs;
  expect((await run(backup)).outcome.outcome).toBe("created");
});

test("a pause leaves whoever has the token alone: a backup, and a restore", async () => {
  await pause();
  expect((await run(backup, true)).outcome.outcome).toBe("created");
  expect((await run({ operation: "restore", allow: [] }, true)).outcome.outcome).toBe("restored");
});

test("resume ends a pause before its time, and says when there was none", async () => {
  await pause();
  const { outcome } = await run({ operation: "resume" }, true);
  expect(outcome).toMatchObject({ outcome: "resumed", message: expect.stringContaining(end) });
  expect((await run(backup)).outcome.outcome).toBe("created");
  expect((await run({ operation: "resume" }, true)).outcome.message).toBe("Factorio: it was not paused");
});

test("a pause that is damaged stops nothing", async () => {
  await pause();
  await writeFile(pausePath(), '{"version": 1, "until":');
  expect((await run(backup)).outcome.outcome).toBe("created");
});
