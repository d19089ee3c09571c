import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Names of works; all when empty. */
  readonly only: readonly string[];
  /** Of what takes seconds; what takes minutes has three at most. */
  readonly rounds: number;
  /** Of the sizes of the data. A run that is not the whole thing says so, and writes no document. */
  readonly scale: number;
  /** Where the data is made; a folder in it, which is removed again. */
  readonly folder: string | undefined;
}

export const usage = `make bench [ONLY=work,work] [ROUNDS=5] [SCALE=0.1] [FOLDER=where the data is made]`;

/** @throws {Error} For a person: what is wrong, and what is wanted. */
export function parseOptions(args: readonly string[], works: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      rounds: { type: "string", default: "" },
      scale: { type: "string", default: "" },
      folder: { type: "string", default: "" },
    },
  });
  const only = values.only.split(",").filter((name) => name !== "");
  const unknown = only.filter((name) => !works.includes(name));
  if (unknown.length > 0) {
    throw new Error(`Cannot measure "${unknown.join(", ")}": some of ${works.join(", ")} are wanted`);
  }
  const rounds = Number(values.rounds || "5");
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new Error(`Cannot measure in "${values.rounds}" rounds: 1 to 100 are wanted`);
  }
  const scale = Number(values.scale || "1");
  if (!(scale >= 0.001 && scale <= 1)) {
    throw new Error(`Cannot measure at scale "${values.scale}": 0.001 to 1 is wanted`);
  }
  return { only, rounds, scale, folder: values.folder || undefined };
}

/** Whether this is the benchmark that the document tells of. */
export const isWhole = ({ only, scale, rounds }: BenchOptions) => only.length === 0 && scale === 1 && rounds >= 5;
