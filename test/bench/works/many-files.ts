import { join } from "node:path";
import type { Work } from "../bench.ts";
import { quoted, shell } from "../command.ts";
import { makeManyFiles } from "../data/world.ts";
import { Site } from "../site.ts";
import { timeRow } from "../table.ts";

/** Nothing changed in very many small files: against the least that has to be asked of a file system. */
export const manyFiles: Work = {
  name: "files",
  diskBytes: 2e9,
  measure: (bench) =>
    bench.folder("files", async (folder) => {
      const count = bench.count(100_000);
      bench.say(`making ${count} small files`);
      const { userData } = await makeManyFiles(folder, count);
      const site = await Site.lay(join(folder, "site"), "sdtd", { userData });
      const first = await site.backUp();
      bench.peak(`backup of ${count} small files`, first.peakBytes);
      const ours = async () => {
        const run = await site.backUp("unchanged");
        bench.peak(`${count} small files, nothing changed`, run.peakBytes);
        return run.seconds;
      };
      await ours();
      const find = async () =>
        (await shell(`find ${quoted(userData)} -printf '%p %s %T@\\n' | sort | sha256sum > /dev/null`)).seconds;
      bench.say(`${count} small files, nothing changed, against find`);
      const pairs = await bench.pairs(bench.rounds, ours, find);
      bench.rows.push(timeRow(`${count} small files, nothing changed`, "find -printf | sort | sha256sum", 3, pairs));
    }),
};
