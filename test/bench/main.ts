import { mkdtemp, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildRunner } from "../../functions/build.ts";
import { Bench } from "./bench.ts";
import { describeMachine } from "./machine.ts";
import { isWhole, parseOptions, usage } from "./options.ts";
import { bringPeers } from "./peers.ts";
import { memoryRows, report } from "./report.ts";
import { reaches, shown } from "./table.ts";
import { works } from "./works/works.ts";

/*
 * The benchmark: runs as users have them, against the programs that do the same work, on the same data, in turn.
 * Exit status 0 when every goal is reached, 1 when one is missed, 2 when it could not be measured.
 */

const document = join(import.meta.dirname, "../../docs/benchmarks.md");
const [from, to] = ["<!-- measured -->\n", "<!-- end -->\n"];
const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const options = parseOptions(
    process.argv.slice(2),
    works.map(({ name }) => name),
  );
  const wanted = works.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  bringPeers(say);
  await buildRunner();
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), "keepsake-bench-"));
  try {
    const neededBytes = Math.max(...wanted.map(({ diskBytes }) => diskBytes)) * options.scale + 1e9;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < neededBytes) {
      throw new Error(
        `Cannot measure in "${folder}": ${shown(neededBytes, "bytes")} of free disk are wanted, are ${shown(bavail * bsize, "bytes")}\nAnother place, or less data: ${usage}`,
      );
    }
    say(`In ${folder}, which takes up to ${shown(neededBytes, "bytes")} and is removed afterwards.`);
    if (!isWhole(options)) say("A part of the benchmark: it says little, and no document is written.");
    const bench = new Bench({ ...options, folder, say });
    for (const work of wanted) await work.measure(bench);
    const text = report(bench, describeMachine());
    process.stdout.write(text);
    if (isWhole(options)) await writeDocument(text);
    return [...bench.rows, ...memoryRows(bench)].every(reaches) ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Between its marks; what stands around them is written by people. */
async function writeDocument(text: string): Promise<void> {
  const old = await readFile(document, "utf8");
  const [start, end] = [old.indexOf(from), old.indexOf(to)];
  if (start < 0 || end < start) throw new Error(`Cannot write "${document}": the marks for the tables are wanted`);
  await writeFile(document, `${old.slice(0, start + from.length)}\n${text}\n${old.slice(end)}`);
}

process.exitCode = await main().catch((error: Error) => {
  say(error.message);
  return 2;
});
