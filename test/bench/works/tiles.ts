import { join } from "node:path";
import type { Work } from "../bench.ts";
import { quoted, shell } from "../command.ts";
import { makeBigRender } from "../data/render.ts";
import { Site } from "../site.ts";
import { timeRow } from "../table.ts";
import { measureUnchanged } from "../unchanged.ts";

/** First publish of a rendered map, and none. */
export const tiles: Work = {
  name: "tiles",
  diskBytes: 2e9,
  measure: (bench) =>
    bench.folder("tiles", async (folder) => {
      bench.say("making a map of 6,000 tiles");
      const renders = await makeBigRender(join(folder, "render"), bench.scale);
      const site = await Site.lay(join(folder, "site"), "mapshot", { renders });
      await bench.warm(renders);
      await site.backUp();
      const ours = async () => {
        await site.clear();
        await bench.settle();
        const run = await site.backUp();
        bench.peak("first publish of the tiles", run.peakBytes);
        return run.seconds;
      };
      const [peer, sums] = [join(folder, "peer"), join(folder, "sums")];
      await shell(`cd ${quoted(renders)} && find . -type f -exec sha256sum {} + > ${quoted(sums)}`);
      const rsync = async () => {
        await shell(`rm -rf ${quoted(peer)}`);
        await bench.settle();
        const copy = `rsync -a --fsync ${quoted(`${renders}/`)} ${quoted(peer)}`;
        return (await shell(`${copy}; cd ${quoted(peer)}; sha256sum --quiet -c ${quoted(sums)}`)).seconds;
      };
      bench.say("first publish, against rsync and sha256sum -c");
      const pairs = await bench.pairs(bench.rounds, ours, rsync);
      const work = "first publish of 6,000 tiles, sha256 verified";
      bench.rows.push(timeRow(work, "rsync -a --fsync; sha256sum -c", 0.6, pairs));
      await measureUnchanged(bench, { site, what: "the tiles", data: renders });
    }),
};
