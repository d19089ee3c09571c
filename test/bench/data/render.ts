import { join } from "node:path";
import { type LabSurface, writeRender } from "../../../deploy/local/lab/mapshot/make-render.ts";

/** A complete render of Mapshot: 5,969 tiles of 35 kB at scale 1, 209 MB. @returns The folder of its index.html. */
export async function makeBigRender(folder: string, scale: number): Promise<string> {
  const renders = join(folder, "latest");
  const reach = Math.max(64, Math.round((1056 * Math.sqrt(scale)) / 32) * 32);
  const surface: LabSurface = { name: "nauvis", idx: 1, min: { x: -reach, y: -reach }, max: { x: reach, y: reach } };
  await writeRender(renders, { surfaces: [surface], tileBytes: 35_000 });
  return renders;
}
