import type { PointFacts } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { flawsOf } from "./completeness.ts";
import { manifestPathOf, parseModelName } from "./model-name.ts";
import type { Model, Store } from "./store.ts";

/**
 * Which models of the NAS a restore brings: all of them, or the one that was asked for.
 * @throws {Failure} `not_found` with what there is, `backup_damaged` when one of them is not whole.
 */
export function wantedModels(nas: Store, { id, only, tree }: PointFacts, app: string): Model[] {
  const alone = only === undefined ? undefined : (pathOfModel(only) ?? "");
  const chosen = nas.models.filter(({ path }) => alone === undefined || path === alone);
  const listed = new Map(tree?.files.map(({ name, sha256 }) => [name, sha256]));
  const flaws: { name: string; why: string }[] = [];
  for (const { at, path, why } of nas.bad) {
    // What is no part of the backup is nobody's loss; a restore of everything goes on without it.
    const isPart = path !== undefined && (path === alone || (alone === undefined && listed.has(path)));
    if (isPart) flaws.push({ name: path, why: `${at}: ${why}` });
  }
  for (const model of chosen) {
    const sum = listed.get(model.path);
    const other = `${model.path}: sha256 ${sum} is wanted, is ${model.sha256}`;
    const [flaw] = [
      ...(sum !== undefined && sum !== model.sha256 ? [{ why: other }] : []),
      ...flawsOf(model, nas.blobs),
    ];
    if (flaw) flaws.push({ name: model.name, why: flaw.why });
  }
  const [first] = flaws;
  if (first) {
    const whole = chosen.filter(({ name }) => !flaws.some((flaw) => flaw.name === name)).map(({ name }) => name);
    throw new Failure("backup_damaged", `Cannot restore ${first.name} of ${id}: ${first.why}`, {
      hint: damagedHint(app, whole),
    });
  }
  if (chosen.length > 0) return chosen;
  const names = nas.models.map(({ name }) => name);
  throw new Failure("not_found", `Cannot restore "${only ?? "models"}": there is no such model on the NAS`, {
    hint: names.length > 0 ? `There are: ${names.join(", ")}` : `"${nas.folder}" holds none.`,
  });
}

/** What can be done when one model of a backup is broken. */
export const damagedHint = (app: string, whole: readonly string[]) =>
  whole.length === 0
    ? "Nothing was touched."
    : `Nothing was touched. The others can be restored one by one: ${whole.map((name) => `make restore-${app} MODEL=${name}`).join("; ")}`;

function pathOfModel(text: string): string | undefined {
  const name = parseModelName(text);
  return name && manifestPathOf(name);
}
