import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { describeOutcome, describeRun, makeNas, stepsOf, stopDeadAt, tempFolder, testDisk } from "../testing.ts";
import { readState, writeState } from "./state.ts";

const state = {
  version: 1 as const,
  baseline: { identity: { id: "map-1", label: "map one" }, sourceBytes: 5 },
  gate: { pointId: "20251219-180000", source: "f", published: { "latest.box": "g" } },
  last: describeOutcome(describeRun()),
};

test("readState() gives back what writeState() wrote", async () => {
  const { folders } = await makeNas();
  expect(await readState(folders)).toEqual({ version: 1 });
  await writeState(folders, state, testDisk());
  expect(await readState(folders)).toEqual(state);
});

test("readState() takes a damaged state, or one of another version, for an empty one", async () => {
  const { folders } = await makeNas();
  await mkdir(dirname(folders.state), { recursive: true });
  for (const text of ["", "{", "null", "[]", '{"version":2}', '{"gate":{"pointId":7}}']) {
    await writeFile(folders.state, text);
    expect(await readState(folders), text).toEqual({ version: 1 });
  }
});

test("readState() does not take a NAS that cannot be read for an empty state", async () => {
  const { folders } = await makeNas();
  await mkdir(folders.state, { recursive: true });
  await expect(readState(folders)).rejects.toMatchObject({ code: "nas_unreachable" });
  await rm(folders.state, { recursive: true });
});

test("writeState() stopped dead at any change leaves the old state or the new one", async () => {
  const write =
    (folders: Awaited<ReturnType<typeof makeNas>>["folders"], sourceBytes: number) =>
    (step: Parameters<typeof testDisk>[0]) =>
      writeState(folders, { ...state, baseline: { sourceBytes } }, testDisk(step));
  const { folders } = await makeNas(await tempFolder("memory"));
  const count = (await stepsOf(write(folders, 0))).length;
  for (let at = 1; at <= count; at += 1) {
    const before = (await readState(folders)).baseline?.sourceBytes;
    await stopDeadAt(at, write(folders, at));
    expect([before, at]).toContain((await readState(folders)).baseline?.sourceBytes);
  }
});
