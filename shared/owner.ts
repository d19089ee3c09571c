import { z } from "zod";

/** Whom files belong to, as numbers: "uid:gid". */
export const Owner = z
  .string()
  .regex(/^\d+:\d+$/, 'numbers as "uid:gid"')
  .transform((text) => {
    const [uid, gid] = text.split(":").map(Number);
    return { uid: uid as number, gid: gid as number };
  });
