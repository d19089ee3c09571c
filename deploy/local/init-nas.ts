import { resolve } from "node:path";
import { Disk } from "../../shared/disk.ts";
import { toFailure } from "../../shared/failures.ts";
import { initNas, markerPath } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";

/*
 * `make init-nas NAS=/path`: marks a folder as the export. Nothing is ever written into one without the marker, so
 * this is what tells a mounted NAS from the empty folder that it is mounted on.
 */

const path = process.argv[2] || process.env.NAS;
if (!path) {
  console.error("Cannot mark the NAS: its path is wanted. Type: make init-nas NAS=/path/to/the/mounted/export");
  process.exit(2);
}
const root = resolve(path);
console.log(`Marking "${root}" as the NAS`);
try {
  const { created } = await initNas(root, new Disk(createStep()));
  console.log(created ? `Made ${markerPath(root)}` : `It was marked before: ${markerPath(root)} stays as it is`);
} catch (error) {
  const { message, hint } = toFailure(error);
  console.error(message);
  if (hint) console.error(`  ${hint}`);
  process.exit(1);
}
