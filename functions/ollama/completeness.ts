import type { BlobRef } from "./manifest.ts";
import type { Model } from "./store.ts";

/** What of a model is not as its manifest says. */
export interface Flaw {
  readonly blob: string;
  /** For people. */
  readonly why: string;
}

/** @returns Nothing when every layer and the config are there with the right sizes. */
export function flawsOf({ blobs }: Pick<Model, "blobs">, sizes: ReadonlyMap<string, number>): Flaw[] {
  return blobs.flatMap(({ name, sizeBytes }: BlobRef): Flaw[] => {
    const actual = sizes.get(name);
    if (actual === undefined) return [{ blob: name, why: `blobs/${name} is not there` }];
    if (sizeBytes !== undefined && actual !== sizeBytes)
      return [{ blob: name, why: `blobs/${name} of ${sizeBytes} bytes is wanted, has ${actual}` }];
    return [];
  });
}
