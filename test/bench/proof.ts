import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import type { Site } from "./site.ts";
import { shown } from "./table.ts";
import { readTrace, type Trace } from "./trace.ts";

/** Looks through strace at a first backup and at one in which nothing changed: lines for the document. */
export async function proofOfBackup(bench: Bench, site: Site, data: string, folder: string): Promise<string[]> {
  bench.say("what the runs really do, through strace");
  await site.clear();
  const first = await traced(site, data, folder, "created");
  const again = await traced(site, data, folder, "unchanged");
  return [
    `First backup of the world: ${first.fsyncs} fsync, ${first.syncfs} syncfs; ${first.readBack.files} files read back once they were on the disk, ${shown(first.readBack.bytes, "bytes")}.`,
    `The world, nothing changed: ${again.fsyncs} fsync, ${again.syncfs} syncfs; ${shown(again.dataBytes, "bytes")} of the data read.`,
  ];
}

async function traced(site: Site, data: string, folder: string, expected: "created" | "unchanged"): Promise<Trace> {
  const path = join(folder, "trace");
  const calls = "trace=fsync,fdatasync,syncfs,read,pread64,preadv,readv";
  await site.run({ operation: "backup", allow: [] }, expected, [
    "strace",
    "-f",
    "-y",
    "-s",
    "4",
    "-e",
    calls,
    "-o",
    path,
  ]);
  const text = await readFile(path, "utf8");
  await rm(path);
  return readTrace(text, { nas: site.nas, data });
}
