import { join } from "node:path";
import { loadStackFile } from "../../shared/stack/stack-file.ts";

/** What a stack.yml brings onto a cluster. */
export interface Stack {
  readonly functionNames: readonly string[];
  /** OpenFaaS refuses functions that name one which is not there. */
  readonly secretNames: readonly string[];
  /** Subjects of events that call functions. */
  readonly topics: readonly string[];
  /** Those of the functions that have a schedule. */
  readonly scheduled: readonly string[];
}

/** @param clone The folder with the file. */
export async function readStack(clone: string): Promise<Stack> {
  const all = await loadStackFile(join(clone, "stack.yml"), {});
  const called = all.map(({ service, annotations }) => ({ service, topic: annotations?.topic }));
  return {
    functionNames: all.map(({ service }) => service),
    secretNames: [...new Set(all.flatMap(({ secrets }) => secrets ?? []))],
    topics: called.flatMap(({ topic }) => (topic === undefined || topic === byTime ? [] : topic)),
    scheduled: called.flatMap(({ service, topic }) => (topic === byTime ? service : [])),
  };
}

/** The topic of functions that the cron-connector calls. */
const byTime = "cron-function";
