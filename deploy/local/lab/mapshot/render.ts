import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { readState } from "../factorio/game.ts";
import { firstFiles, hashOf, type LabSurface, labRender, nauvis, type RenderState, tilesOf } from "./make-render.ts";

/*
 * A stand-in for `mapshot render` and the Factorio that it starts: node render.ts render [options] <save.zip>
 * The options, what is written in which order, and what is told follow Palats/mapshot 0.0.27. The last ones are the
 * stand-in's own: how it goes wrong.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    factorio_datadir: { type: "string" },
    factorio_binary: { type: "string" },
    work_dir: { type: "string" },
    area: { type: "string", default: "entities" },
    surface: { type: "string", default: "_all_" },
    tilemin: { type: "string", default: "32" },
    tilemax: { type: "string", default: "128" },
    resolution: { type: "string" },
    jpgquality: { type: "string" },
    minjpgquality: { type: "string", default: "95" },
    logtostderr: { type: "boolean" },
    factorio_verbose: { type: "boolean" },
    v: { type: "string", short: "v" },
    /** Of the mod. */
    version: { type: "string", default: "0.0.27" },
    "no-pictures": { type: "boolean", default: false },
    /** How far the world reaches from its start, in chunks of 32 units. */
    chunks: { type: "string", default: "4" },
    /** Bytes that a tile has at least. */
    "tile-bytes": { type: "string", default: "0" },
    /** How long each tile takes. */
    "tile-ms": { type: "string", default: "0" },
    /**
     * "crash": Factorio dies halfway. "hang": it crashes when all is done, and nothing ends. "stuck": it hangs
     * halfway. "nauvis": without Space Age's data it renders the first surface only. "unfinished": it says that it is
     * done, and the last tile is cut short. "silent": it ends without saying where.
     */
    fail: { type: "string" },
  },
});
const [command, save] = positionals;
if (command !== "render" || !save || !values.factorio_datadir) {
  throw new Error("Usage: render.ts render --factorio_datadir <folder> <save.zip>");
}
const started = performance.now();
const datadir = values.factorio_datadir;
const scriptOutput = join(datadir, "script-output");

/** A line of Factorio's log, with the seconds since its start. */
const log = (line: string) =>
  console.log(
    `${((performance.now() - started) / 1000).toFixed(3).padStart(8)} Script @__mapshot__/control.lua:58: ${line}`,
  );

process.exitCode = await render(save);

async function render(path: string): Promise<number> {
  const savename = basename(path, ".zip");
  const runId = randomUUID();
  console.log(`Generating mapshot ${JSON.stringify(savename)} using file ${path}`);
  const work = values.work_dir ?? join(datadir, "temp");
  await mkdir(work, { recursive: true });
  await copyFile(path, join(work, `${savename}.zip`));
  console.log("Starting Factorio...");
  if (!(await lock())) {
    console.error(`Error: factorio exited early: exit status 1`);
    return 1;
  }
  const { seed, tick } = await readState(join(work, `${savename}.zip`));
  const state: RenderState = {
    ...labRender,
    seed,
    tick,
    savename,
    surfaces: surfaces(),
    tileMin: Number(values.tilemin),
    tileMax: Number(values.tilemax),
    skipEmpty: values.minjpgquality === "0",
    version: values.version,
    key: values.version === "0.0.27" ? "encoded_path" : "path",
    tileBytes: Number(values["tile-bytes"]),
    pictures: !values["no-pictures"],
  };
  log(`onstartup requested id=${runId}`);
  log(`Unique ID: ${hashOf(state)}`);
  const folder = join(scriptOutput, "mapshot", savename);
  for (const [name, content] of firstFiles(state)) await put(join(folder, name), content);
  await writeTiles(state, folder);
  log(
    `Mapshot: all screenshots started, might take a while to render; location: mapshot/${savename}/d-${hashOf(state)}/`,
  );
  if (values.fail === "silent") return 0;
  log(`marking as done @${tick}`);
  const done = join(scriptOutput, `mapshot-done-${runId}`);
  await put(done, `mapshot/${savename}/d-${hashOf(state)}/`);
  console.log("Output:", join(scriptOutput, (await readFile(done, "utf8")).replace(/\/$/, "")));
  await rm(done);
  if (values.fail === "hang") {
    console.log("   0.529 Error CrashHandler.cpp:639: Received SIGSEGV");
    console.log("Factorio crashed. Generating symbolized stacktrace, please wait ...");
    await forever();
  }
  await rm(lockPath());
  return 0;
}

async function writeTiles(state: RenderState, folder: string): Promise<void> {
  const tiles = [...tilesOf(state)];
  const first = state.surfaces[0]?.idx;
  for (const [index, { path, bytes }] of tiles.entries()) {
    const half = index >= tiles.length / 2;
    if (half && values.fail === "crash") {
      console.log("   9.031 Error CrashHandler.cpp:639: Received SIGSEGV");
      console.error("Error: factorio exited early: signal: segmentation fault (core dumped)");
      process.exit(1);
    }
    if (half && values.fail === "stuck") await forever();
    const last = index === tiles.length - 1;
    if (values.fail === "nauvis" && !path.includes(`/s${first}zoom_`)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      continue;
    }
    const content = bytes();
    await put(
      join(folder, path),
      last && values.fail === "unfinished" ? content.subarray(0, content.length / 2) : content,
    );
    if (values["tile-ms"] !== "0") await delay(Number(values["tile-ms"]));
  }
}

/** Written in place, over what is there, as the game writes. */
async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

function surfaces(): LabSurface[] {
  const reach = 32 * Number(values.chunks);
  const all = [
    { ...nauvis, min: { x: -reach, y: 32 - reach }, max: { x: reach - 32, y: reach } },
    { name: "platform-1", idx: 2, min: { x: -32, y: -32 }, max: { x: 32, y: 32 } },
  ];
  const wanted = values.surface.split(",");
  return all.filter(({ name }) => values.surface === "_all_" || wanted.includes(name));
}

function lockPath(): string {
  return join(datadir, ".lock");
}

/** Factorio refuses to start where a lock is; one that was killed leaves it. */
async function lock(): Promise<boolean> {
  if (existsSync(lockPath())) {
    console.log(`   0.004 Error Util.cpp:81: Couldn't create lock file ${lockPath()}: File exists`);
    console.log("Is another instance already running?");
    return false;
  }
  await mkdir(datadir, { recursive: true });
  await (await open(lockPath(), "wx")).close();
  return true;
}

function forever(): Promise<never> {
  return new Promise(() => setInterval(() => {}, 1 << 30));
}
