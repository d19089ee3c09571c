import { z } from "zod";
import { toFailure } from "../shared/failures.ts";
import { lookAtNas } from "../shared/nas/look.ts";
import { prepareNas } from "../shared/nas/prepare-nas.ts";

/** What is to be done, as JSON in KEEPSAKE_LOOK: to look as one app's run would, or to mark the export for all of them. */
const Task = z.union([
  z.strictObject({ nas: z.string(), app: z.string() }),
  z.strictObject({
    nas: z.string(),
    mark: z.array(z.object({ name: z.string(), user: z.object({ uid: z.number(), gid: z.number() }) })),
  }),
]);

/** The program that `make doctor` and `make deploy` start in a pod. Prints one line of JSON: a NasLook, or {"failed"}. */
export async function main(): Promise<void> {
  try {
    const task = Task.parse(JSON.parse(process.env.KEEPSAKE_LOOK ?? ""));
    if ("mark" in task) await prepareNas(task.nas, task.mark);
    console.log(JSON.stringify("mark" in task ? {} : await lookAtNas(task.nas, task.app)));
  } catch (error) {
    console.log(JSON.stringify({ failed: toFailure(error).message }));
  }
}

if (import.meta.main) void main();
