import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Bench, Work } from "../bench.ts";
import { quoted, shell } from "../command.ts";
import { makePlayedWorld, type World } from "../data/world.ts";
import { proofOfBackup } from "../proof.ts";
import { Site } from "../site.ts";
import { sizeRow, timeRow } from "../table.ts";
import { measureUnchanged } from "../unchanged.ts";

/** First backup, nothing changed, and restore of a big game of 7 Days to Die. */
export const world: Work = {
  name: "world",
  diskBytes: 6e9,
  measure: (bench) =>
    bench.folder("world", async (folder) => {
      bench.say("making a world of 256 MB");
      const made = await makePlayedWorld(folder, bench.scale);
      const site = await Site.lay(join(folder, "site"), "sdtd", { userData: made.userData });
      await bench.warm(made.userData);
      // Compiles the runner's code.
      await site.backUp();

      const peer = join(folder, "peer");
      const first = async () => {
        await site.clear();
        await bench.settle();
        const run = await site.backUp();
        bench.peak("backup of the world", run.peakBytes);
        return run.seconds;
      };
      const against = (line: string) => async () => {
        await rm(peer, { recursive: true, force: true });
        await mkdir(peer, { recursive: true });
        return (await shell(line, { cwd: peer })).seconds;
      };
      bench.say("first backup, against tar and pigz");
      bench.rows.push(
        timeRow(
          "first backup of the world, verified",
          "tar | pigz -p2",
          0.9,
          await bench.pairs(bench.rounds, first, against(packed(made))),
        ),
      );
      const pigzBytes = await sizeOf(peer);
      bench.say("first backup, against the shell jobs");
      const jobs = await bench.pairs(bench.fewRounds, first, against(incumbent(made)));
      bench.rows.push(timeRow("first backup of the world, verified", "find | md5sum, tar czf, cp", 1 / 3, jobs));
      const history = join(site.nas, "sdtd/backups/history");
      bench.rows.push(sizeRow("archives of the world", "tar | pigz -p2", 1.05, await sizeOf(history), pigzBytes));

      await measureUnchanged(bench, { site, what: "the world", data: made.userData });
      await measureRestore(bench, site, made, peer);
      bench.proofs.push(...(await proofOfBackup(bench, site, made.userData, folder)));
    }),
};

/** `tar -C <parent> -c <folder>` of game and world, as the archives have them. */
const packed = ({ game, world }: World) =>
  [game, world]
    .map((folder, index) => `${tarOf(folder)} -c ${quoted(basename(folder))} | pigz -p2 > ${index}.tar.gz`)
    .join("; ");

/** The shell jobs that did this before: a checksum, an archive of each, and a copy as the latest. */
const incumbent = ({ game, world }: World) =>
  [game, world]
    .map(
      (folder, index) =>
        `find ${quoted(folder)} -type f -exec md5sum {} + | sort | md5sum > ${index}.md5; ` +
        `${tarOf(folder)} -czf ${index}.tar.gz ${quoted(basename(folder))}; cp ${index}.tar.gz latest-${index}.tar.gz`,
    )
    .join("; ");

const tarOf = (folder: string) => `tar -C ${quoted(dirname(folder))}`;

async function measureRestore(bench: Bench, site: Site, { userData }: World, peer: string): Promise<void> {
  bench.say("restore, against tar");
  const history = join(site.nas, "sdtd/backups/history");
  const archives = (await readdir(history)).filter((name) => name.endsWith(".tar.gz"));
  const before = await countOf(userData);
  // Moved away rather than removed: a file system that has just lost thousands of files is slow to make new ones.
  const old = `${userData}.old`;
  await mkdir(old);
  let moved = 0;
  const anew = async (folder: string) => {
    moved += 1;
    await rename(folder, join(old, String(moved)));
    await mkdir(folder);
    await bench.settle();
  };
  const ours = async () => {
    await anew(userData);
    const run = await site.run({ operation: "restore", allow: [] }, "restored");
    bench.peak("restore of the world", run.peakBytes);
    return run.seconds;
  };
  const tar = async () => {
    await anew(peer);
    const lines = archives.map((name) => `tar xzf ${quoted(join(history, name))}`);
    return (await shell(lines.join("; "), { cwd: peer })).seconds;
  };
  // Compiles what a restore calls.
  await ours();
  await ours();
  const pairs = await bench.pairs(bench.rounds, ours, tar);
  await rm(old, { recursive: true });
  bench.rows.push(timeRow("restore of the world, checked before and while it is unpacked", "tar xzf", 0.5, pairs));
  const after = await countOf(userData);
  if (after !== before) throw new Error(`Cannot vouch for the restore: ${before} files are wanted, are ${after}`);
}

async function countOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.parentPath.includes(".keepsake")).length;
}

async function sizeOf(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".tar.gz"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
