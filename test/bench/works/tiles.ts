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
      const peer = join(folder, "peer");
      const work = "first publish of 6,000 tiles, sha256 verified";
      const sums = join(folder, "sums");
      await shell(`cd ${quoted(renders)} && find . -type f -exec sha256sum {} + > ${quoted(sums)}`);
      const rsync = `rsync -a --fsync ${quoted(`${renders}/`)} ${quoted(peer)}; cd ${quoted(peer)}; sha256sum --quiet -c ${quoted(sums)}`;
      bench.say("first publish, against rsync and sha256sum -c");
      const toRsync = await bench.pairs(bench.rounds, ours, () => bench.making(peer, rsync));
      bench.rows.push(timeRow(work, "rsync -a --fsync; sha256sum -c", 0.6, toRsync));
      const rclone = (what: string) => `rclone ${what} --quiet --config '' ${quoted(renders)} ${quoted(peer)}`;
      bench.say("first publish, against rclone");
      const checked = `${rclone("copy")}; ${rclone("check --download")}`;
      const toRclone = await bench.pairs(bench.rounds, ours, () => bench.making(peer, checked));
      bench.rows.push(timeRow(work, "rclone copy; rclone check --download", 1, toRclone));
      await measureUnchanged(bench, { site, what: "the tiles", data: renders });
      bench.say("the tiles, nothing changed, against rclone sync");
      const unchanged = async () => (await site.backUp("unchanged")).seconds;
      const synced = async () => (await shell(rclone("sync"))).seconds;
      const toSync = await bench.pairs(bench.rounds, unchanged, synced);
      bench.rows.push(timeRow("the tiles, nothing changed", "rclone sync", 1, toSync));
    }),
};
