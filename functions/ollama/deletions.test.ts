import fc from "fast-check";
import { expect, test } from "vitest";
import { type DeletionsInput, decideDeletions } from "./deletions.ts";
import type { Model } from "./store.ts";

const dayMs = 86_400_000;
const nowMs = 100 * dayMs;

const model = (path: string, ...blobs: string[]): Model => ({
  name: path,
  path,
  at: path,
  bytes: new Uint8Array(),
  sha256: `sha of ${path}`,
  blobs: blobs.map((name) => ({ name, sizeBytes: 1 })),
});

type Changes = Partial<Omit<DeletionsInput, "memory">> & { memory?: Partial<DeletionsInput["memory"]> };

function decide(nas: Model[], source: Model[], { memory, ...changes }: Changes = {}, orphans: string[] = []) {
  const blobs = new Map([...nas.flatMap((one) => one.blobs.map(({ name }) => name)), ...orphans].map((b) => [b, 1]));
  return decideDeletions({
    nas: { models: nas, bad: [], blobs },
    present: new Set(source.map(({ path }) => path)),
    published: source,
    memory: { waiting: {}, held: {}, unused: {}, expired: { manifests: {}, blobs: [] }, ...memory },
    nowMs,
    keepMs: 7 * dayMs,
    allowSmaller: false,
    ...changes,
  });
}

const [a, b, c] = [model("a", "1", "shared"), model("b", "2", "shared"), model("c", "3")];
const wait = (one: Model, days: number) => ({ [one.path]: { since: nowMs - days * dayMs, sha256: one.sha256 } });

test("decideDeletions() lets nothing go while the source has everything", () => {
  expect(decide([a, b], [a, b, c])).toEqual({
    waiting: {},
    unused: {},
    expired: { manifests: {}, blobs: [] },
    held: {},
  });
});

test("decideDeletions() lets a model that is gone wait, then go with what only it needs", () => {
  const first = decide([a, b, c], [b, c]);
  expect(first).toMatchObject({ waiting: wait(a, 0), expired: { manifests: {}, blobs: [] }, held: {} });
  const waiting = wait(a, 6.9);
  expect(decide([a, b, c], [b, c], { memory: { waiting, unused: {} } })).toMatchObject({ waiting, unused: {} });
  const due = decide([a, b, c], [b, c], { memory: { waiting: wait(a, 7), unused: {} } });
  expect(due).toMatchObject({ waiting: {}, expired: { manifests: { a: a.sha256 }, blobs: ["1"] }, unused: {} });
});

test("decideDeletions() begins a wait anew for a model that came back, or is another one", () => {
  expect(decide([a, b, c], [a, b, c], { memory: { waiting: wait(a, 9), unused: {} } }).waiting).toEqual({});
  const other = { a: { since: nowMs - 9 * dayMs, sha256: "of another manifest" } };
  expect(decide([a, b, c], [b, c], { memory: { waiting: other, unused: {} } }).waiting).toEqual(wait(a, 0));
});

test("decideDeletions() does not believe that more than half is gone, and neither begins nor ends a wait", () => {
  const memory = { waiting: wait(c, 30), unused: { old: nowMs - 30 * dayMs } };
  const held = decide([a, b, c], [], { memory }, ["old"]);
  expect(held).toMatchObject({
    held: { a: a.sha256, b: b.sha256 },
    waiting: wait(c, 30),
    expired: { manifests: {}, blobs: [] },
  });
  expect(Object.keys(held.unused)).toEqual(["old"]);
  const allowed = decide([a, b, c], [], { memory, allowSmaller: true });
  expect(allowed).toMatchObject({ held: {}, waiting: { ...wait(a, 0), ...wait(b, 0) } });
});

test("decideDeletions() holds what it held, though new models make it less than half, until it is back", () => {
  const more = ["x", "y", "z"].map((path) => model(path));
  const memory = { held: { a: a.sha256, b: b.sha256 }, waiting: wait(c, 9) };
  const later = decide([a, b, c, ...more], more, { memory });
  expect(later).toMatchObject({ held: memory.held, waiting: wait(c, 9), expired: { manifests: {} } });
  const back = decide([a, b, c, ...more], [a, b, ...more], { memory });
  expect(back).toMatchObject({ held: {}, waiting: {}, expired: { manifests: { c: c.sha256 } } });
  const other = decide([a, b, c, ...more], more, { memory: { ...memory, held: { a: "another manifest" } } });
  expect(other).toMatchObject({ held: {}, waiting: { ...wait(a, 0), ...wait(b, 0) } });
});

test("decideDeletions() goes on with waits that were allowed to begin, though more than half is gone", () => {
  const memory = { waiting: { ...wait(a, 8), ...wait(b, 8) }, unused: {} };
  expect(decide([a, b, c], [c], { memory }).expired).toEqual({
    manifests: { a: a.sha256, b: b.sha256 },
    blobs: ["1", "shared", "2"],
  });
});

test("decideDeletions() goes on where a run was killed that had let something go", () => {
  const expired = { manifests: { a: a.sha256 }, blobs: ["1", "stray"] };
  expect(decide([a, b, c], [b, c], { memory: { expired } }, ["stray"])).toMatchObject({
    waiting: {},
    unused: {},
    expired,
  });
  expect(decide([b, c], [b, c], { memory: { expired } }, ["1"]).expired).toEqual({ manifests: {}, blobs: ["1"] });
  expect(decide([a, b, c], [a, b, c], { memory: { expired } }).expired).toEqual({ manifests: {}, blobs: [] });
});

test("decideDeletions() believes that half is gone", () => {
  expect(decide([a, b], [b]).held).toEqual({});
});

test("decideDeletions() keeps what a model at the source has on the NAS when it is left out of this backup", () => {
  const left = decide([a, b], [], { present: new Set(["a", "b"]), published: [b] });
  expect(left).toMatchObject({ waiting: {}, unused: {}, held: {} });
});

test("decideDeletions() lets blobs of a replaced manifest, and those that nobody knows, wait too", () => {
  const newer = { ...a, sha256: "newer", blobs: [{ name: "9", sizeBytes: 1 }] };
  expect(decide([a], [newer], {}, ["stray"]).unused).toEqual({ "1": nowMs, shared: nowMs, stray: nowMs });
  const memory = { waiting: {}, unused: { stray: nowMs - 7 * dayMs } };
  expect(decide([a], [a], { memory }, ["stray"])).toMatchObject({
    unused: {},
    expired: { manifests: {}, blobs: ["stray"] },
  });
});

test("decideDeletions() lets no blob go while a manifest on the NAS cannot be read", () => {
  const input = decide([a, b, c], [b, c], {
    nas: {
      models: [a, b, c],
      bad: [{ at: "manifests/x/y/z/t", path: "manifests/x/y/z/t", why: "empty" }],
      blobs: new Map([["1", 1]]),
    },
    memory: { waiting: wait(a, 8), unused: {} },
  });
  expect(input).toMatchObject({ expired: { manifests: { a: a.sha256 }, blobs: [] }, unused: { "1": nowMs } });
});

test("decideDeletions() is not fooled by a clock that was ahead", () => {
  expect(decide([a, b, c], [b, c], { memory: { waiting: wait(a, -400), unused: {} } }).waiting).toEqual(wait(a, 0));
});

test("decideDeletions() never lets go what a model needs that is there or still waits", () => {
  const blob = fc.constantFrom("1", "2", "3", "4", "5");
  const some = fc.uniqueArray(fc.record({ path: fc.constantFrom(..."abcdef"), blobs: fc.uniqueArray(blob) }), {
    selector: ({ path }) => path,
  });
  const days = fc.dictionary(fc.constantFrom(..."abcdef", "1", "2"), fc.integer({ min: -5, max: 20 }));
  fc.assert(
    fc.property(some, some, days, fc.boolean(), (nasModels, sourceModels, ages, allowSmaller) => {
      const [nas, source] = [nasModels, sourceModels].map((list) => list.map((m) => model(m.path, ...m.blobs))) as [
        Model[],
        Model[],
      ];
      const waiting = Object.fromEntries(
        Object.entries(ages).map(([path, age]) => [path, { since: nowMs - age * dayMs, sha256: `sha of ${path}` }]),
      );
      const unused = Object.fromEntries(Object.entries(ages).map(([name, age]) => [name, nowMs - age * dayMs]));
      const result = decide(nas, source, { memory: { waiting, unused }, allowSmaller });
      const stays = nas.filter(({ path }) => !(path in result.expired.manifests));
      const needed = new Set(
        [...source, ...stays.filter(({ path }) => !source.some((s) => s.path === path))].flatMap((m) =>
          m.blobs.map(({ name }) => name),
        ),
      );
      for (const gone of result.expired.blobs) expect(needed).not.toContain(gone);
      for (const { path } of source) expect(result.expired.manifests).not.toHaveProperty(path);
    }),
  );
});
