import { existsSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { labRender, nauvis, platform } from "../../deploy/local/lab/mapshot/make-render.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { readManifests } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { play } from "../worlds/factorio.ts";
import { command, configure, layLab, places, render, sums, wholeMap } from "../worlds/mapshot.ts";
import { carry } from "../worlds/run.ts";

let folder: string;
beforeEach(async () => {
  // Where it costs nothing to sync hundreds of small files again and again.
  folder = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "keepsake-promises-"));
  await layLab(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Options = Parameters<typeof carry>[3];
const run = (request: Partial<RunRequest> & { operation: RunRequest["operation"] }, options: Options = {}) =>
  carry(
    places(folder).config,
    "mapshot",
    { ...(["backup", "restore"].includes(request.operation) && { allow: [] }), ...request } as RunRequest,
    options,
  );
const publish = (options: Options = {}) => run({ operation: "backup" }, options);
const published = () => wholeMap(places(folder).map);
const names = (path: string) => readdir(path).then((found) => found.filter((name) => !name.startsWith(".")).sort());
const manifest = async () => (await readManifests(openNas(places(folder).nas).app("mapshot")))[0];

/** What a folder shows, with the render's path as it is on the NAS in both. */
async function content(path: string): Promise<Record<string, string>> {
  const found = Object.entries(await sums(path)).filter(([name]) => name !== "index.html");
  return Object.fromEntries(found.map(([name, sum]) => [name.replace(/^renders\//, ""), sum]));
}

test("a render is published byte by byte, in the asker's tree, and index.html finds it there", async () => {
  const name = await render(folder);
  const { outcome, told } = await publish();
  expect(outcome).toMatchObject({ outcome: "created", warnings: [] });
  const { map, renders } = places(folder);
  expect(await names(map)).toEqual([
    "index.html",
    "layers.svg",
    "manifest.json",
    "renders",
    "thumbnail.png",
    expect.stringMatching(/^viewer-/),
  ]);
  expect(await names(join(map, "renders"))).toEqual([name]);
  expect(await content(map)).toEqual(await content(renders));
  expect(await readFile(join(map, "index.html"), "utf8")).toContain(`{"encoded_path":"renders/${name}"}`);
  expect(await readFile(join(map, "manifest.json"))).toEqual(await readFile(join(renders, "manifest.json")));
  await published();
  expect((await manifest())?.facts).toMatchObject({
    render: name,
    tick: labRender.tick,
    surfaces: ["nauvis", "platform-1"],
    mapshotVersion: "0.0.27",
  });
  expect(told.map(({ subject }) => subject)).toEqual(["backups.completed", "mapshot.rendered"]);
});

test("an unchanged render is not read again, and nothing is written", async () => {
  await render(folder);
  await publish();
  const { outcome, steps } = await publish();
  expect(outcome.outcome).toBe("unchanged");
  expect(steps.filter((step) => /mapshot\/(renders|index)|incoming/.test(step))).toEqual([]);
});

test("a new render takes the place of the old one, which goes from both sides once the new one is shown", async () => {
  const old = await render(folder);
  await publish();
  const name = await render(folder, { tick: 24_000_000, version: "0.0.28" });
  let shown = old;
  const { outcome } = await publish({
    onStep: async () => {
      // Before each step: one of the two, and the old one before the new one.
      const now = (await published()).name;
      expect([shown, name]).toContain(now);
      shown = now;
    },
  });
  expect(outcome.outcome).toBe("created");
  expect(outcome.removed?.join()).toContain(old);
  const { map, renders } = places(folder);
  expect(await names(join(map, "renders"))).toEqual([name]);
  expect((await names(renders)).filter((found) => /^(d-|viewer-)/.test(found))).toHaveLength(2);
  expect(await content(map)).toEqual(await content(renders));
});

test("a render of the same name with other tiles is brought up to date without ever being incomplete", async () => {
  const name = await render(folder, { tileMin: 64 });
  await publish();
  // Deeper, then coarser again, with other pictures.
  for (const changes of [
    { tileMin: 32, tileBytes: 300 },
    { tileMin: 64, tileBytes: 500 },
  ]) {
    await rm(join(places(folder).renders, name), { recursive: true });
    await render(folder, changes);
    const { outcome } = await run(
      { operation: "backup", allow: ["smaller"] },
      { onStep: async () => void (await published()) },
    );
    expect(outcome.outcome).toBe("created");
    expect(await content(places(folder).map)).toEqual(await content(places(folder).renders));
  }
});

test("one other tile is the only one that is copied", async () => {
  const name = await render(folder);
  await publish();
  const { renders } = places(folder);
  const tile = join(renders, name, "s1zoom_0/tile_0_0.jpg");
  await writeFile(tile, await readFile(join(renders, name, "s1zoom_0/tile_-1_0.jpg")));
  const { outcome, steps } = await publish();
  expect(outcome.outcome).toBe("created");
  expect(steps.filter((step) => step.startsWith("write 1 files"))).toHaveLength(1);
  expect(steps.filter((step) => /^write \d+ files/.test(step))).toHaveLength(1);
});

test.each<[string, (path: string) => Promise<unknown>]>([
  ["misses a tile", (path) => unlink(join(path, "s1zoom_2/tile_4_3.jpg"))],
  ["has half a tile", (path) => truncate(join(path, "s2zoom_0/tile_0_0.jpg"), 100)],
  ["has an empty tile", (path) => truncate(join(path, "s1zoom_1/tile_0_0.jpg"), 0)],
  ["has no tile of a surface (Palats/mapshot#55)", (path) => rm(join(path, "s2zoom_0"), { recursive: true })],
  ["has half a mapshot.json", (path) => truncate(join(path, "mapshot.json"), 200)],
])("a render that %s is not published, and the map that was there stays", async (_, damage) => {
  const { renders, map } = places(folder);
  await render(folder);
  await publish();
  const before = await sums(map);
  const name = await render(folder, { tick: 24_000_000 });
  await damage(join(renders, name));
  // While something was written there a moment ago, it may be the renderer that is at work.
  const fresh = await publish();
  expect(["postponed", "refused"]).toContain(fresh.outcome.outcome);
  const hour = 3_600_000;
  const late = await publish({ now: () => Date.now() + hour });
  expect(late.outcome).toMatchObject({ outcome: "refused", failure: { code: "source_invalid" } });
  expect(late.outcome.failure?.message).toContain(name);
  expect(await sums(map)).toEqual(before);
  expect((await run({ operation: "cleanup" })).outcome).toMatchObject({ outcome: "cleaned", removed: [] });
  expect((await names(renders)).filter((found) => found.startsWith("d-"))).toHaveLength(2);
});

test("a render that is under way is put off, and published when it is done", async () => {
  const name = await render(folder);
  const tile = join(places(folder).renders, name, "s1zoom_2/tile_4_3.jpg");
  const bytes = await readFile(tile);
  await unlink(tile);
  const { outcome } = await publish();
  expect(outcome).toMatchObject({ outcome: "postponed", message: expect.stringContaining("tile_4_3.jpg") });
  expect(await names(places(folder).nas)).toEqual([]);
  await writeFile(tile, bytes);
  expect((await publish()).outcome.outcome).toBe("created");
});

test("a render that changes while it is copied is not published", async () => {
  const { renders, map } = places(folder);
  const old = await render(folder);
  await publish();
  const name = await render(folder, { tick: 24_000_000 });
  let changed = false;
  const { outcome } = await publish({
    onStep: async (what) => {
      if (changed || !what.startsWith("write ") || !what.includes("incoming")) return;
      changed = true;
      await writeFile(
        join(renders, name, "s1zoom_0/tile_0_0.jpg"),
        await readFile(join(renders, name, "s1zoom_0/tile_-1_0.jpg")),
      );
    },
  });
  expect(changed).toBe(true);
  expect(outcome.failure).toMatchObject({ code: "source_changing", retryable: true });
  expect((await published()).name).toBe(old);
  expect(await names(join(map, "renders"))).toEqual([old]);
  const second = await publish();
  expect(second.outcome.failure).toBeUndefined();
  expect((await published()).name).toBe(name);
});

test("a map of another game is refused until somebody accepts it", async () => {
  await render(folder);
  await publish();
  const before = await sums(places(folder).map);
  await render(folder, { seed: 1 });
  expect((await publish()).outcome.failure?.code).toBe("source_replaced");
  expect(await sums(places(folder).map)).toEqual(before);
  await run({ operation: "accept" });
  expect((await publish()).outcome.outcome).toBe("created");
});

test("a folder without a map, or with a page of something else, is refused, and the published map stays", async () => {
  const { renders, map } = places(folder);
  await render(folder);
  await publish();
  const before = await sums(map);
  await writeFile(join(renders, "index.html"), "<html>MAPSHOT_CONFIG = window.other</html>");
  expect((await publish()).outcome.failure?.code).toBe("source_invalid");
  await rm(renders, { recursive: true });
  expect((await publish()).outcome.failure?.code).toBe("source_missing");
  expect(await sums(map)).toEqual(before);
});

test("links in the renderer's folder lead nowhere", async () => {
  const name = await render(folder);
  const { renders, map } = places(folder);
  const tile = join(renders, name, "s1zoom_0/tile_0_0.jpg");
  await unlink(tile);
  await symlink("/etc/passwd", tile);
  expect((await publish({ now: () => Date.now() + 3_600_000 })).outcome.failure?.code).toBe("source_invalid");
  expect(await names(map).catch(() => [])).toEqual([]);
});

test("what somebody damaged or removed on the NAS is put there again, though nothing was rendered", async () => {
  const name = await render(folder);
  await publish();
  const { map, renders } = places(folder);
  const tile = join(map, "renders", name, "s1zoom_0/tile_0_0.jpg");
  await writeFile(tile, "not a tile");
  expect((await publish()).outcome.outcome).not.toBe("refused");
  expect(await content(map)).toEqual(await content(renders));
  await rm(join(map, "index.html"));
  await rm(join(map, "renders", name), { recursive: true });
  await publish();
  expect(await content(map)).toEqual(await content(renders));
  await published();
});

test("a cleanup removes what nothing refers to, on both sides, and nothing else", async () => {
  const { renders, map } = places(folder);
  const name = await render(folder);
  await publish();
  const stale = ["d-00000001", "d-00000002"];
  for (const place of [renders, join(map, "renders")]) {
    for (const old of stale) {
      await mkdir(join(place, old, "s1zoom_0"), { recursive: true });
      await writeFile(join(place, old, "s1zoom_0/tile_0_0.jpg"), "old");
      await writeFile(join(place, old, "mapshot.json"), "{}");
    }
    await writeFile(join(place, stale[1] as string, "notes.txt"), "mine");
    // Old as it looks, it is the one that is shown.
    await utimes(join(place, name), 1, 1);
  }
  await writeFile(join(renders, "viewer-00000000.js"), "old");
  await writeFile(join(map, "viewer-00000000.js"), "old");
  await writeFile(join(map, ".DS_Store"), "Finder was here");
  await mkdir(join(map, "renders/d-mine"));
  await mkdir(join(map, "renders/my-own"));
  const before = await content(map);
  const { outcome } = await run({ operation: "cleanup" });
  expect(outcome.outcome).toBe("cleaned");
  expect(outcome.removed).toHaveLength(6);
  expect(await names(join(map, "renders"))).toEqual(["d-00000002", name, "d-mine", "my-own"].sort());
  expect(await names(join(map, "renders/d-00000002"))).toEqual(["notes.txt"]);
  expect((await names(renders)).filter((found) => /^(d-|viewer)/.test(found))).toEqual([
    "d-00000002",
    name,
    expect.stringMatching(/^viewer-/),
  ]);
  expect(await readFile(join(map, ".DS_Store"), "utf8")).toBe("Finder was here");
  for (const [path, sum] of Object.entries(await content(map))) expect(before[path]).toBe(sum);
  await published();
  expect((await run({ operation: "cleanup" })).outcome).toMatchObject({ outcome: "cleaned", removed: [] });
});

test("a cleanup removes nothing as long as the published map is not whole, nor the render that was named last", async () => {
  const { renders, map } = places(folder);
  const name = await render(folder);
  await publish();
  const next = await render(folder, { tick: 24_000_000 });
  // The renderer's newest is not published yet: both stay.
  expect((await run({ operation: "cleanup" })).outcome.removed).toEqual([]);
  await mkdir(join(map, "renders/d-00000001"));
  const tile = join(map, "renders", name, "s1zoom_0/tile_0_0.jpg");
  const bytes = await readFile(tile);
  await unlink(tile);
  const { outcome } = await run({ operation: "cleanup" });
  expect(outcome).toMatchObject({ removed: [], warnings: [expect.stringContaining("tile_0_0.jpg")] });
  await writeFile(tile, bytes);
  expect((await run({ operation: "cleanup" })).outcome.removed).toHaveLength(1);
  expect((await names(renders)).filter((found) => found.startsWith("d-"))).toEqual([name, next].sort());
});

test("a restore brings the map back as the renderer had left it, and an undo what it replaced", async () => {
  const { renders, map } = places(folder);
  const name = await render(folder);
  await publish();
  const first = await sums(renders);
  const other = await render(folder, { tick: 24_000_000, version: "0.0.28" });
  const second = await sums(renders);
  const { outcome, steps } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "restored", warnings: [] });
  expect(await sums(renders)).toEqual(first);
  expect((await wholeMap(renders)).name).toBe(name);
  expect(
    steps.filter((step) => step.includes(`rename ${join(renders, ".keepsake/restore/new/index.html")}`)),
  ).toHaveLength(1);
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect(await sums(renders)).toEqual(second);
  expect((await wholeMap(renders)).name).toBe(other);
  // What is on the NAS was not touched by any of it.
  expect((await published()).name).toBe(name);
  expect(await names(join(map, "renders"))).toEqual([name]);
});

test("a restore after the volume was lost, then the next publish finds nothing new", async () => {
  const { renders } = places(folder);
  await render(folder);
  await publish();
  const first = await sums(renders);
  await rm(renders, { recursive: true });
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
  expect(await sums(renders)).toEqual(first);
  expect((await publish()).outcome.outcome).toBe("unchanged");
});

test("a restore beside production touches nothing of it", async () => {
  const { renders } = places(folder);
  await render(folder);
  await publish();
  const first = await sums(renders);
  await render(folder, { tick: 24_000_000 });
  const before = await sums(renders);
  const to = join(folder, "look");
  expect((await run({ operation: "restore", to })).outcome).toMatchObject({ outcome: "restored", restoredTo: to });
  expect(await sums(to)).toEqual(first);
  expect(await sums(renders)).toEqual(before);
});

test.each<[string, (map: string, name: string) => Promise<unknown>, string]>([
  [
    "another tile",
    (map, name) =>
      writeFile(join(map, "renders", name, "s1zoom_0/tile_0_0.jpg"), Buffer.from([0xff, 0xd8, 1, 0xff, 0xd9])),
    "backup_damaged",
  ],
  ["no tile", (map, name) => unlink(join(map, "renders", name, "s1zoom_0/tile_0_0.jpg")), "backup_damaged"],
  [
    "half a viewer",
    async (map) => truncate(join(map, (await names(map)).find((name) => name.startsWith("viewer-")) as string), 5),
    "backup_damaged",
  ],
  ["a page of something else", (map) => writeFile(join(map, "index.html"), "x".repeat(900)), "backup_damaged"],
])("a restore from a NAS with %s is refused, and replaces nothing", async (_, damage, code) => {
  const { renders, map } = places(folder);
  const name = await render(folder);
  await publish();
  await render(folder, { tick: 24_000_000 });
  const before = await sums(renders);
  await damage(map, name);
  const { outcome } = await run({ operation: "restore" });
  expect(outcome.failure?.code).toBe(code);
  expect(await sums(renders)).toEqual(before);
});

test("a tree that another system made is restored when it is whole, and refused when it is not", async () => {
  const { renders, map, nas } = places(folder);
  const name = await render(folder);
  const first = await sums(renders);
  await publish();
  await rm(join(nas, ".keepsake/mapshot"), { recursive: true });
  await rm(renders, { recursive: true });
  const { outcome } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "restored", warnings: [expect.stringContaining("no checksum")] });
  expect(await sums(renders)).toEqual(first);
  await unlink(join(map, "renders", name, "s1zoom_0/tile_0_0.jpg"));
  expect((await run({ operation: "restore" })).outcome.failure?.code).toBe("backup_damaged");
  expect(await sums(renders)).toEqual(first);
});

test("names in a manifest that no map has are refused", async () => {
  const { nas, renders } = places(folder);
  await render(folder);
  await publish();
  const before = await sums(renders);
  const [path] = (await readdir(join(nas, ".keepsake/mapshot/points"))).map((name) =>
    join(nas, ".keepsake/mapshot/points", name),
  );
  const found = await manifest();
  await writeFile(join(nas, "evil.txt"), "x");
  const files = [...(found?.files ?? []), { ...found?.files[1], name: "../evil.txt", sizeBytes: 1 }];
  await writeFile(path as string, JSON.stringify({ ...found, files }));
  expect((await run({ operation: "restore" })).outcome.failure?.code).toBe("backup_hostile");
  expect(await sums(renders)).toEqual(before);
});

test("renders without their empty tiles are published when the settings say so", async () => {
  await render(folder, { skipEmpty: true });
  expect((await publish({ now: () => Date.now() + 3_600_000 })).outcome.failure).toMatchObject({
    code: "source_invalid",
    hint: expect.stringContaining("emptyTiles: skipped"),
  });
  await configure(folder, { emptyTiles: "skipped" });
  expect((await publish()).outcome.outcome).toBe("created");
  await wholeMap(places(folder).map, "skipped");
  await rm(places(folder).renders, { recursive: true });
  await configure(folder);
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
});

test("a much smaller map is refused until somebody allows it", async () => {
  const large = { ...nauvis, min: { x: -512, y: -512 }, max: { x: 512, y: 512 } };
  await render(folder, { surfaces: [large, platform] });
  await publish();
  await render(folder, { tick: 24_000_000 });
  expect((await publish()).outcome.failure?.code).toBe("source_smaller");
  expect((await run({ operation: "backup", allow: ["smaller"] })).outcome.outcome).toBe("created");
});

test("a page that its viewer does not understand (Mapshot 0.0.24) is warned about", async () => {
  const { renders } = places(folder);
  await render(folder, { key: "path" });
  expect((await publish()).outcome.warnings).toEqual([]);
  const [viewer] = (await names(renders)).filter((name) => name.startsWith("viewer-"));
  await writeFile(join(renders, viewer as string), "config.encoded_path");
  expect((await publish()).outcome.warnings).toEqual([expect.stringContaining("stays blank")]);
});

test("a folder that cannot be read is not an empty one", async () => {
  if (process.getuid?.() === 0) return;
  const name = await render(folder);
  await publish();
  await chmod(join(places(folder).renders, name), 0);
  expect((await publish()).outcome.outcome).not.toBe("unchanged");
  await chmod(join(places(folder).renders, name), 0o755);
});

/* With a renderer */

const factorio = (tick: number, changes: Parameters<typeof play>[2] = {}) =>
  play(folder, tick, changes).then(() => carry(places(folder).config, "factorio", { operation: "backup", allow: [] }));
const withRenderer = (more = "", settings: Record<string, unknown> = {}) =>
  configure(folder, { render: { command: command(folder, more), graceSeconds: 0.2, ...settings } });
const didRender = (steps: readonly string[]) => steps.includes("render the map");

test("the newest backup of the game is rendered and published; an unchanged one is not rendered again", async () => {
  await withRenderer();
  await factorio(3600);
  const first = await publish();
  expect(first.outcome).toMatchObject({ outcome: "created", warnings: [] });
  expect(didRender(first.steps)).toBe(true);
  expect((await published()).info).toMatchObject({ tick: 3600, seed: 7 });
  expect((await manifest())?.facts).toMatchObject({ save: { sha256: expect.any(String) } });
  const again = await publish();
  expect(again.outcome.outcome).toBe("unchanged");
  expect(didRender(again.steps)).toBe(false);
  await factorio(7200);
  expect((await publish()).outcome.outcome).toBe("created");
  expect((await published()).info.tick).toBe(7200);
  expect((await names(join(places(folder).map, "renders"))).length).toBe(1);
  expect((await names(places(folder).renders)).filter((name) => name.startsWith("d-"))).toHaveLength(1);
  // The save that was rendered was a copy, and the copy is gone.
  expect(await stat(join(places(folder).saves, "_autosave1.zip"))).toBeDefined();
});

test("another command renders the same save again, into the folder of the same name", async () => {
  await withRenderer();
  await factorio(3600);
  await publish();
  await withRenderer("--tilemin 16");
  const { outcome, steps } = await publish();
  expect([outcome.outcome, didRender(steps)]).toEqual(["created", true]);
  expect((await published()).layers.some(({ zoom }) => zoom === 3)).toBe(true);
});

test("a damaged render is rendered anew", async () => {
  await withRenderer();
  await factorio(3600);
  await publish();
  const { name } = await published();
  await unlink(join(places(folder).renders, name, "s1zoom_0/tile_0_0.jpg"));
  const { outcome, steps } = await publish({ now: () => Date.now() + 3_600_000 });
  expect(didRender(steps)).toBe(true);
  expect(outcome.warnings).toEqual([expect.stringContaining("made anew")]);
  await wholeMap(places(folder).renders);
});

test.each([
  ["crash", "tool_failed"],
  ["silent", "tool_failed"],
  ["nauvis", "source_invalid"],
  ["unfinished", "source_invalid"],
])("a renderer that ends badly (%s) publishes nothing, and the next run renders again", async (fail, code) => {
  await withRenderer();
  await factorio(3600);
  await publish();
  const before = await sums(places(folder).map);
  await factorio(7200);
  await withRenderer(`--fail ${fail}`);
  const { outcome } = await publish();
  expect(outcome.failure?.code).toBe(code);
  expect(await sums(places(folder).map)).toEqual(before);
  expect((await run({ operation: "cleanup" })).outcome.removed).toEqual([]);
  await rm(join(places(folder).datadir, ".lock"), { force: true });
  await withRenderer();
  expect((await publish()).outcome.outcome).toBe("created");
  expect((await published()).info.tick).toBe(7200);
});

test("a Factorio that crashes when all is done, and hangs (Palats/mapshot#45), is ended, and its render counts", async () => {
  await withRenderer("--fail hang");
  await factorio(3600);
  const { outcome } = await publish();
  expect(outcome).toMatchObject({ outcome: "created", warnings: [expect.stringContaining("was ended")] });
  await published();
});

test("a renderer that never ends is ended after its time, or when the run is cancelled", async () => {
  await withRenderer("--fail stuck", { timeoutHours: 1 / 3600 });
  await factorio(3600);
  expect((await publish()).outcome.failure).toMatchObject({ code: "tool_failed" });
  await rm(join(places(folder).datadir, ".lock"), { force: true });
  await withRenderer("--fail stuck");
  const cancel = new AbortController();
  const { outcome } = await publish({
    signal: cancel.signal,
    onStep: (what) =>
      void (what.startsWith("create") && what.includes("renderer.json") && setTimeout(() => cancel.abort(), 50)),
  });
  expect(outcome.outcome).toBe("cancelled");
  expect(await names(places(folder).nas)).toEqual(["factorio"]);
});

test("a renderer that writes somewhere else is told of, and nothing is published", async () => {
  await factorio(3600);
  const elsewhere = join(folder, "elsewhere");
  await render(folder);
  await configure(folder, {
    render: { command: command(folder).replace(places(folder).datadir, elsewhere), graceSeconds: 1 },
  });
  expect((await publish()).outcome.failure).toMatchObject({
    code: "invalid_config",
    hint: expect.stringContaining("renders"),
  });
});

test("without a verified backup of the game nothing is rendered; what is there is published, and said so", async () => {
  await withRenderer();
  const { outcome } = await publish();
  expect(outcome.failure?.code).toBe("source_missing");
  await render(folder);
  const second = await publish();
  expect(second.outcome).toMatchObject({
    outcome: "created",
    warnings: [expect.stringContaining("no verified backup")],
  });
});

test("a backup of the game that has rotted is not rendered", async () => {
  await withRenderer();
  await factorio(3600);
  const history = join(places(folder).nas, "factorio/backups/history");
  const [save] = await readdir(history);
  const bytes = await readFile(join(history, save as string));
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  await writeFile(join(history, save as string), bytes);
  const { outcome, steps } = await publish();
  expect(outcome.failure?.code).toBe("backup_damaged");
  expect(didRender(steps)).toBe(false);
});
