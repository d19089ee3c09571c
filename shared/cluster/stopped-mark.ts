import { z } from "zod";
import { parseJson } from "../json.ts";

/** On a workload that a run has stopped. */
export const stoppedAnnotation = "keepsake.dev/stopped";

/** What a workload was before a run stopped it, as it stands in its annotation. */
const StoppedMark = z.object({
  /** The run that has it stopped now. */
  runId: z.string(),
  /** How many pods it had before the first stop. */
  replicas: z.number().int().min(0),
  /** When it was stopped first, RFC 3339. */
  at: z.string(),
});
export type StoppedMark = z.infer<typeof StoppedMark>;

/** @returns undefined when there is none; "damaged" when somebody has made it unreadable. */
export function readMark(of: Readonly<Record<string, string>>): StoppedMark | "damaged" | undefined {
  const text = of[stoppedAnnotation];
  if (text === undefined) return undefined;
  const parsed = StoppedMark.safeParse(parseJson(text));
  return parsed.success ? parsed.data : "damaged";
}

export const markText = (mark: StoppedMark): string => JSON.stringify(mark satisfies StoppedMark);
