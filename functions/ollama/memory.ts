import { z } from "zod";
import type { Facts } from "../../shared/app.ts";

const Since = z.number();

/**
 * What one backup has to tell the next ones; it stands among the facts of the NAS's manifest. Moments are ms since the
 * epoch, paths and names those of the NAS's tree. What is damaged reads as nothing: then every wait begins anew.
 */
export const Memory = z
  .object({
    /** Models that the source has no more, and since when: they go after some days. */
    waiting: z.record(z.string(), z.object({ since: Since, sha256: z.string() })).catch({}),
    /** Models that went too suddenly to begin such a wait, and the sha256 of their manifests. */
    held: z.record(z.string(), z.string()).catch({}),
    /** Blobs that no model on the NAS needs, and since when. */
    unused: z.record(z.string(), Since).catch({}),
    /** Whose wait is over: what the cleanup may remove, if it still is what it was. */
    expired: z
      .object({ manifests: z.record(z.string(), z.string()), blobs: z.array(z.string()) })
      .catch({ manifests: {}, blobs: [] }),
  })
  .catch({ waiting: {}, held: {}, unused: {}, expired: { manifests: {}, blobs: [] } });
export type Memory = z.infer<typeof Memory>;

export const readMemory = (facts: Facts | undefined): Memory => Memory.parse(facts ?? {});
