import { z } from "zod";
import { Failure } from "../../shared/failures.ts";

/** The section `status` of keepsake.yaml. */
export const StatusSettings = z.strictObject({
  /** How often the watch looks, in minutes; cron and people may have it look in between. */
  everyMinutes: z.number().min(1).max(1440).default(15),
  /** How long after its time a backup may begin before it is late, in minutes. */
  graceMinutes: z.number().min(1).max(1440).default(30),
  /** From how many on backups that failed one after the other are a condition of their own. */
  failedInARow: z.number().int().min(1).max(100).default(3),
  /** How long a run may take before somebody should look, in hours. */
  runningHours: z.number().positive().max(1000).default(12),
  /** How often each app's backups are read back, a share each time, in hours; 0: never by itself. */
  scrubHours: z.number().min(0).max(720).default(24),
  /** How often a backup of each app is restored for a trial, in days; 0: never by itself. */
  drillDays: z.number().min(0).max(365).default(7),
  /** Free space on the NAS below this is low, in percent of all of it. */
  lowSpacePercent: z.number().min(0).max(90).default(10),
  /** When the summary of the day is sent, in the time zone of the settings; "off": never. */
  digestAt: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$|^off$/, 'a time such as "08:00", or off')
    .default("08:00"),
  /** Where stack.yml is, for when the gateway does not tell its schedules; this clone's own when absent. */
  stackFile: z.string().optional(),
});
export type StatusSettings = z.infer<typeof StatusSettings>;

/**
 * @param given What stands under `status` in keepsake.yaml.
 * @throws {Failure} `invalid_config`, naming every mistake by its path.
 */
export function readStatusSettings(given: unknown): StatusSettings {
  const parsed = StatusSettings.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${["status", ...path].join(".")}: ${message}`);
  throw new Failure("invalid_config", `Cannot use the settings of status:\n  ${problems.join("\n  ")}`, {
    hint: "The README lists every setting with its default and meaning.",
  });
}
