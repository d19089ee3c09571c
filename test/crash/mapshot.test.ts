import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { RenderState } from "../../deploy/local/lab/mapshot/make-render.ts";
import { openNas } from "../../shared/nas/nas.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { play } from "../worlds/factorio.ts";
import { command, configure, layLab, places, render, sums, wholeMap } from "../worlds/mapshot.ts";
import { describeRun, runKilled } from "./kill.ts";
import { killStories, type Story } from "./story.ts";

type Sums = Record<string, string>;

interface World {
  folder: string;
  /** The renderer's folder as it was before the run. */
  before: Sums;
  /** Renders that the NAS may show. */
  known: Set<string>;
}

const small: Partial<RenderState> = { tileMin: 64 };
const later: Partial<RenderState> = { ...small, tick: 24_000_000, version: "0.0.28" };

async function carryOut(folder: string, request: RunRequest, app = "mapshot"): Promise<void> {
  const done = await runKilled(join(folder, "state"), places(folder).config, describeRun(app, request), 0);
  expect(done.outcome?.failure, done.log).toBeUndefined();
}
const publish = (folder: string) => carryOut(folder, { operation: "backup", allow: [] });

async function open(folder: string, settings: Record<string, unknown> = {}): Promise<World> {
  await configure(folder, settings);
  const { renders, map } = places(folder);
  const [here, there] = [await sums(renders), await sums(map)];
  const known = [...Object.values(here), ...Object.values(there)];
  return { folder, before: here, known: new Set(known) };
}

/** At every moment: the NAS shows a whole map, and a tile of it is one that was rendered. */
async function expectShown({ folder, known }: World): Promise<Sums> {
  const { map } = places(folder);
  const { name } = await wholeMap(map);
  const shown = await sums(map);
  for (const [path, sum] of Object.entries(shown)) {
    if (path.startsWith(`renders/${name}/`) && known.size > 0) expect(known, path).toContain(sum);
  }
  expect(await readFile(join(map, ".DS_Store"), "utf8")).toBe("Finder was here");
  expect(await readFile(join(map, "renders/notes.txt"), "utf8")).toBe("mine");
  return shown;
}

async function layUnknown(folder: string): Promise<void> {
  const { map } = places(folder);
  await mkdir(join(map, "renders"), { recursive: true });
  await writeFile(join(map, ".DS_Store"), "Finder was here");
  await writeFile(join(map, "renders/notes.txt"), "mine");
}

/** Nothing is left of a killed run, and everybody was told of all of them. */
async function expectTidy(folder: string, runIds: readonly string[]): Promise<void> {
  const { nas, map, renders } = places(folder);
  const folders = openNas(nas).app("mapshot");
  const hidden = await readdir(folders.hidden, { recursive: true });
  expect(hidden.filter((name) => /(^|\/)\.[^/]*\.tmp$/.test(name))).toEqual([]);
  expect(
    hidden.filter((name) => /^(incoming|staging)\//.test(name)),
    "nothing is half copied",
  ).toEqual([]);
  expect(await readdir(folders.outbox).catch(() => []), "everything was told").toEqual([]);
  const told = await readdir(folders.runs);
  for (const id of runIds) expect(told).toContain(`${id}.outcome.json`);
  const points = (await readdir(folders.points)).filter((name) => name.endsWith(".json"));
  expect(points, "one manifest").toHaveLength(1);
  const { files } = JSON.parse(await readFile(join(folders.points, points[0] as string), "utf8"));
  const shown = await sums(map);
  for (const { kind, name, sha256 } of files) if (kind === "file") expect(shown[name], name).toBe(sha256);
  const left = (await readdir(join(renders, ".keepsake")).catch(() => [])).filter((name) => name !== "rendered.json");
  expect(
    left.filter((name) => name !== "replaced"),
    "the journal is closed, and no renderer is remembered",
  ).toEqual([]);
}

/** What both sides hold, without the page, whose path of the render differs, and the hidden folders. */
async function contents({ folder }: World): Promise<unknown> {
  const { map, renders } = places(folder);
  return { map: await sums(map), renders: await sums(renders) };
}

const common = {
  app: "mapshot",
  close: async () => {},
  configPath: (folder: string) => places(folder).config,
  open: (folder: string) => open(folder),
};

const publishing: Pick<Story<World>, "request" | "outcomes" | "lookAfterKill" | "lookAtEnd"> = {
  request: { operation: "backup", allow: [] },
  outcomes: ["created", "unchanged"],
  async lookAfterKill(world) {
    await expectShown(world);
    await wholeMap(places(world.folder).renders);
  },
  async lookAtEnd(world, runIds) {
    await expectTidy(world.folder, runIds);
    await expectShown(world);
    const { map, renders } = places(world.folder);
    const { name } = await wholeMap(map);
    expect((await wholeMap(renders)).name).toBe(name);
    expect((await readdir(join(map, "renders"))).sort(), "the older render has gone").toEqual([name, "notes.txt"]);
    return contents(world);
  },
};

const newRender: Story<World> = {
  ...common,
  ...publishing,
  name: "mapshot: a new render takes the place of an older one",
  sample: 4,
  async lay(folder) {
    await layLab(folder);
    await layUnknown(folder);
    await render(folder, small);
    await publish(folder);
    await render(folder, later);
  },
};

const sameName: Story<World> = {
  ...common,
  ...publishing,
  name: "mapshot: a render of the same name, with other tiles and finer ones",
  sample: 4,
  async lay(folder) {
    await layLab(folder);
    await layUnknown(folder);
    const name = await render(folder, { ...small, tileMax: 64 });
    await publish(folder);
    await rm(join(places(folder).renders, name), { recursive: true });
    await render(folder, { tileMax: 64, tileMin: 32, tileBytes: 400 });
  },
};

const rendering: Story<World> = {
  ...common,
  ...publishing,
  name: "mapshot: the game's newest backup is rendered and published",
  sample: 4,
  async lay(folder) {
    await layLab(folder);
    await layUnknown(folder);
    await configure(folder, { render: { command: command(folder, "--tilemin 64") } });
    for (const tick of [1000, 2000]) {
      await play(folder, tick);
      await carryOut(folder, { operation: "backup", allow: [] }, "factorio");
      if (tick === 1000) await publish(folder);
    }
  },
  async open(folder) {
    const world = await open(folder, { render: { command: command(folder, "--tilemin 64") } });
    // Tiles of a save that no run has rendered yet are known to nobody.
    return { ...world, known: new Set() };
  },
  async lookAfterKill(world) {
    await expectShown(world);
    const { renders } = places(world.folder);
    const here = await sums(renders);
    const old = Object.keys(world.before).filter((path) => path.startsWith("d-"));
    const isOldWhole = old.every((path) => here[path] === world.before[path]);
    // Once the new one is shown, the older one may go.
    if (!isOldWhole) await wholeMap(renders);
    // A renderer that was killed leaves its lock; the real one's has to be removed by hand, too.
    await rm(join(places(world.folder).datadir, ".lock"), { force: true });
  },
  async lookAfterMend({ folder }) {
    expect(await readdir(join(places(folder).renders, ".keepsake")), "no renderer is left").not.toContain(
      "renderer.json",
    );
    await rm(join(places(folder).datadir, ".lock"), { force: true });
  },
};

const cleanup: Story<World> = {
  ...common,
  name: "mapshot: a cleanup of two older renders on each side",
  request: { operation: "cleanup" },
  sample: 3,
  outcomes: ["cleaned"],
  async lay(folder) {
    await layLab(folder);
    await layUnknown(folder);
    await render(folder, small);
    await publish(folder);
    const { map, renders } = places(folder);
    for (const place of [renders, join(map, "renders")]) {
      for (const old of ["d-00000001", "d-00000002"]) {
        await mkdir(join(place, old, "s1zoom_0"), { recursive: true });
        await writeFile(join(place, old, "mapshot.json"), "{}");
        for (let n = 0; n < 5; n++) await writeFile(join(place, old, `s1zoom_0/tile_${n}_0.jpg`), "old");
      }
    }
    await writeFile(join(map, "viewer-00000000.js"), "old");
  },
  async lookAfterKill(world) {
    await expectShown(world);
    await wholeMap(places(world.folder).renders);
  },
  async lookAtEnd(world, runIds) {
    await expectTidy(world.folder, runIds);
    await expectShown(world);
    return contents(world);
  },
};

/** The renderer's folder during a restore: as it was, or as the NAS has it. */
const restoring: Pick<Story<World>, "lookAfterKill" | "lookAfterMend" | "lookAtEnd"> = {
  async lookAfterKill(world) {
    await expectShown(world);
  },
  async lookAfterMend(world) {
    const { renders, map } = places(world.folder);
    const here = await sums(renders);
    if (JSON.stringify(here) === JSON.stringify(world.before)) return;
    expect((await wholeMap(renders)).info.tick).not.toBe(undefined);
    const { name } = await wholeMap(map);
    for (const [path, sum] of Object.entries(await sums(join(map, "renders", name)))) {
      if (world.before[`${name}/${path}`] === undefined) expect(here[`${name}/${path}`], path).toBe(sum);
    }
  },
  async lookAtEnd(world, runIds) {
    await expectTidy(world.folder, runIds);
    await expectShown(world);
    await wholeMap(places(world.folder).renders);
    return contents(world);
  },
};

const layRestorable = async (folder: string) => {
  await layLab(folder);
  await layUnknown(folder);
  await render(folder, small);
  await publish(folder);
  await render(folder, later);
};

const restore: Story<World> = {
  ...common,
  ...restoring,
  name: "mapshot: a restore over another render",
  request: { operation: "restore", allow: [] },
  sample: 4,
  outcomes: ["restored"],
  lay: layRestorable,
};

const shownTick = async (folder: string) => (await wholeMap(places(folder).renders)).info.tick;

const undo: Story<World> = {
  ...common,
  ...restoring,
  name: "mapshot: the undo of a restore",
  request: { operation: "undo" },
  sample: 3,
  outcomes: ["undone", "flushed"],
  // An undo of an undo brings the restored render back; so one that was complete is not told again.
  requestAfter: async ({ folder }) => ({ operation: (await shownTick(folder)) === later.tick ? "flush" : "undo" }),
  async lay(folder) {
    await layRestorable(folder);
    await carryOut(folder, { operation: "restore", allow: [] });
    await rm(join(folder, "state/runs"), { recursive: true, force: true });
  },
  async lookAfterMend({ folder, before }) {
    if ((await shownTick(folder)) !== later.tick) expect(await sums(places(folder).renders)).toEqual(before);
  },
};

killStories([newRender, sameName, rendering, cleanup, restore, undo]);
