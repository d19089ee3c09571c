import { cpus } from "node:os";
import { join } from "node:path";
import type { Bench, Work } from "../bench.ts";
import { quoted, shell } from "../command.ts";
import { makeModelStore, pullModel } from "../data/store.ts";
import { Site } from "../site.ts";
import type { Pair } from "../statistics.ts";
import { timeRow } from "../table.ts";
import { measureUnchanged } from "../unchanged.ts";

/** Ollama's models: all of them, one more, and none. */
export const store: Work = {
  name: "store",
  diskBytes: 24e9,
  measure: (bench) =>
    bench.folder("store", async (folder) => {
      bench.say("making a store of 3 GB");
      const models = await makeModelStore(join(folder, "ollama"), bench.scale);
      const site = await Site.lay(join(folder, "site"), "ollama", { models });
      await bench.warm(models);
      await site.backUp();
      await measureFirst(bench, site, models, join(folder, "peer"));
      await measureUnchanged(bench, { site, what: "the model store", data: models });
      await measureNewBlob(bench, site, models, join(folder, "peer"));
    }),
};

async function measureFirst(bench: Bench, site: Site, models: string, peer: string): Promise<void> {
  const ours = async () => {
    await site.clear();
    await bench.settle();
    const run = await site.backUp();
    bench.peak("first mirror of the model store", run.peakBytes);
    return run.seconds;
  };
  bench.say("first mirror, against the slower of copying and hashing");
  const slower = async () => {
    const copied = await copying(models, peer);
    return Math.max(copied, await hashing(models));
  };
  const bounded = await bench.pairs(bench.fewRounds, ours, slower);
  const work = "first mirror of the model store, sha256 verified";
  bench.rows.push(timeRow(work, `cp and sync, or sha256sum on ${cpus().length} cores`, 1.15, bounded));

  bench.say("first mirror, against rsync and sha256sum -c");
  const sums = `${peer}.sums`;
  await shell(`cd ${quoted(models)} && find . -type f -exec sha256sum {} + > ${quoted(sums)}`);
  const rsync = `rsync -a ${quoted(`${models}/`)} ${quoted(peer)}; cd ${quoted(peer)}; sha256sum --quiet -c ${quoted(sums)}`;
  const pairs = await bench.pairs(bench.fewRounds, ours, () => bench.making(peer, rsync));
  bench.rows.push(timeRow(work, "rsync -a; sha256sum -c", 1 / 3, pairs));
  await shell(`rm -rf ${quoted(peer)} ${quoted(sums)}`);
}

async function measureNewBlob(bench: Bench, site: Site, models: string, peer: string): Promise<void> {
  bench.say("one blob more, against the slower of copying and hashing it");
  const pairs: Pair[] = [];
  for (let index = 0; index < bench.fewRounds; index++) {
    const blob = await pullModel(models, `new:${index}`, 500e6 * bench.scale);
    await bench.settle();
    const peerSeconds = Math.max(
      await copying(blob, peer),
      (await shell(`sha256sum ${quoted(blob)} > /dev/null`)).seconds,
    );
    await shell(`rm -rf ${quoted(peer)}`);
    await bench.settle();
    const run = await site.backUp();
    bench.peak("one blob more", run.peakBytes);
    bench.say(`  ${run.seconds.toFixed(3)} s to ${peerSeconds.toFixed(3)} s`);
    pairs.push({ ours: run.seconds, peer: peerSeconds });
  }
  bench.rows.push(timeRow("one new blob of 500 MB in the model store", "cp and sync, or sha256sum", 1.15, pairs));
}

/** Until it is on the disk, as ours is. */
async function copying(from: string, to: string): Promise<number> {
  await shell(`rm -rf ${quoted(to)}; sync -f ${quoted(join(to, ".."))}`);
  return (await shell(`cp -r ${quoted(from)} ${quoted(to)}; sync -f ${quoted(to)}`)).seconds;
}

const hashing = async (folder: string) =>
  (await shell(`find ${quoted(folder)} -type f -print0 | xargs -0 -n 1 -P ${cpus().length} sha256sum > /dev/null`))
    .seconds;
