import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { sha256Of } from "../../shared/nas/publish.ts";
import type { Adoption } from "../../shared/run/report.ts";
import type { Settings } from "./app.ts";
import { flawsOf } from "./completeness.ts";
import { readNas } from "./examine.ts";

/** Reads every blob that a model on the NAS needs, once, and says which models are whole. */
export async function surveyModels({ signal, progress }: RunContext<Settings>, root: string): Promise<Adoption> {
  const nas = await readNas(root);
  const needed = new Set(nas.models.flatMap(({ blobs }) => blobs.map(({ name }) => name)));
  const totalBytes = [...needed].reduce((sum, name) => sum + (nas.blobs.get(name) ?? 0), 0);
  const rotten = new Set<string>();
  let doneBytes = 0;
  for (const name of needed) {
    const sizeBytes = nas.blobs.get(name);
    if (sizeBytes === undefined) continue;
    progress("reading models", doneBytes, totalBytes);
    if (`sha256-${await sha256Of(join(root, "blobs", name), signal)}` !== name) rotten.add(name);
    doneBytes += sizeBytes;
  }
  const found: Adoption = { proven: [], unproven: nas.bad.map(({ at, why }) => ({ file: at, why })) };
  for (const model of nas.models) {
    const [flaw] = flawsOf(model, nas.blobs);
    const bad = model.blobs.find(({ name }) => rotten.has(name));
    const why = flaw?.why ?? (bad && `blobs/${bad.name} has another sha256 than its name says`);
    if (why === undefined) found.proven.push(model.name);
    else found.unproven.push({ file: model.name, why });
  }
  return found;
}
