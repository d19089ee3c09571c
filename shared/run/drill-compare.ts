import { isDeepStrictEqual } from "node:util";
import type { Facts } from "../app.ts";
import { Failure } from "../failures.ts";

/** What was restored is not what was recorded. */
const notAsRecorded = (id: string, what: string, wanted: unknown, actual: unknown): Failure =>
  new Failure(
    "backup_damaged",
    `Cannot prove ${id}: ${what} ${shown(wanted)} was recorded when it was taken, ${shown(actual)} was restored`,
  );

const shown = (value: unknown) => (value === undefined ? "nothing" : JSON.stringify(value)?.slice(0, 200));

/** @throws {Failure} `backup_damaged` unless both are equal. */
export function requireSame(id: string, what: string, wanted: unknown, actual: unknown): void {
  if (!isDeepStrictEqual(wanted, actual)) throw notAsRecorded(id, what, wanted, actual);
}

/**
 * Compares facts by name, those that were recorded and those that are asked for.
 * @returns What was compared, for people: "level bytes".
 * @throws {Failure} `backup_damaged`.
 */
export function requireFacts(id: string, recorded: Facts | undefined, restored: Facts): string[] {
  const names = Object.keys(restored).filter((name) => recorded?.[name] !== undefined);
  for (const name of names) requireSame(id, inWords(name), recorded?.[name], restored[name]);
  return names.map(inWords);
}

const inWords = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
