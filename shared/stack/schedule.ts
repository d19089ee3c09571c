import { Cron } from "croner";
import { Failure } from "../failures.ts";
import { fields, parseField } from "./cron-field.ts";

/*
 * Schedules in the standard dialect of robfig/cron v3, which OpenFaaS's cron-connector speaks, so that a schedule
 * that works here works there and none works here only. croner finds the times.
 *
 * Daylight saving, as robfig does it: a schedule fires at every moment whose local time matches. In a zone with
 * daylight saving, a time that the clock skips does not fire on that day, and one that comes twice fires twice.
 * In UTC, the default of stack.yml, neither happens. A second backup of the same data is `unchanged`.
 */

export interface Schedule {
  /** The first time after `afterMs`, in ms since the epoch; Infinity when there is none (30 February). */
  next(afterMs: number): number;
}

const named: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/**
 * Five fields, a name such as `@daily`, or `@every 1h30m` (whole seconds, one at least, counted from `afterMs`);
 * before it, `CRON_TZ=` or `TZ=` with a zone. Without a zone the process's local time counts.
 * @throws {Failure} `invalid_config`, also for what only other dialects know: seconds, `@reboot`, weekday 7, L, W, #.
 */
export function parseSchedule(text: string): Schedule {
  try {
    const [, zone, rest = ""] = /^(?:(?:CRON_)?TZ=(\S*)\s+)?(.*)$/s.exec(text) ?? [];
    const timezone = zone === undefined ? undefined : checkZone(zone);
    const every = /^@every (.*)$/.exec(rest.trim())?.[1];
    if (every !== undefined) {
      const stepMs = parseDuration(every);
      return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + stepMs };
    }
    const cron = new Cron(toPattern(rest.trim()), { mode: "5-part", paused: true, ...(timezone && { timezone }) });
    return { next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? Number.POSITIVE_INFINITY };
  } catch (cause) {
    throw new Failure("invalid_config", `Cannot read the schedule "${text}": ${(cause as Error).message}`, {
      cause,
      hint: 'Five fields are wanted, as in "0 */6 * * *", or "@daily", or "@every 5m"; before it perhaps "CRON_TZ=Europe/Berlin ".',
    });
  }
}

/** The first time after `afterMs` at which a schedule fires; see `parseSchedule`. */
export function nextRun(schedule: string, afterMs: number): number {
  return parseSchedule(schedule).next(afterMs);
}

/** The same times in the words that croner and robfig/cron read alike: numbers and stars. */
function toPattern(text: string): string {
  if (text.startsWith("@") && !(text in named)) throw new SyntaxError(`there is no "${text}"`);
  const parts = (named[text] ?? text).split(/\s+/);
  if (parts.length !== 5 || parts[0] === "")
    throw new SyntaxError(`5 fields are wanted, there are ${text === "" ? 0 : parts.length}`);
  return Object.values(fields)
    .map((field, index) => {
      const numbers = parseField(parts[index] as string, field);
      if (numbers === "*") return "*";
      // croner moves a run at one fixed time out of a skipped hour, and drops its second one; robfig does neither.
      // A step, though it changes nothing else, makes croner match every moment.
      return numbers.map((number) => (field === fields.hour ? `${number}-${number}/1` : number)).join(",");
    })
    .join(" ");
}

/** @returns The zone's name as croner takes it. Go knows zones by their exact names only. */
function checkZone(zone: string): string | undefined {
  if (zone === "Local") return undefined;
  if (zone === "") return "UTC";
  const known = /^[A-Z]/.test(zone) && Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  if (!known || (known !== zone && known.toLowerCase() === zone.toLowerCase())) {
    throw new RangeError(`there is no time zone "${zone}"`);
  }
  return zone;
}

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };

/** A duration as Go writes it ("1h30m", "1.5h") in ms; rounded down to whole seconds, but one at least. */
function parseDuration(text: string): number {
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new SyntaxError(`"${text}" is no duration such as 5m or 1h30m`);
  }
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?)([a-zµ]+)/g)];
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitMs[unit as string] as number), 0);
  return Math.max(1000, Math.floor(ms / 1000) * 1000);
}
