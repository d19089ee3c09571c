import { parseSchedule, type Schedule } from "../../../shared/stack/schedule.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A schedule of stack.yml, read once. */
export interface KnownSchedule {
  readonly schedule: Schedule;
  /** "every 6 hours", "daily at 03:00"; else as cron writes it. */
  readonly words: string;
  /** The longest time between two runs in the weeks from a moment on. */
  longestGapMs(fromMs: number): number;
}

const known = new Map<string, KnownSchedule>();
/** Times between two runs that are remembered of a schedule: to find one takes longer than everything else here. */
const gapsMost = 100;

/** @throws {Failure} `invalid_config` when the gateway could not read it either. */
export function knownSchedule(line: string): KnownSchedule {
  const found = known.get(line);
  if (found) return found;
  const schedule = remembering(line, parseSchedule(line));
  let longest: { dayOfMs: number; ms: number } | undefined;
  const made = {
    schedule,
    words: inWords(line),
    longestGapMs(fromMs: number) {
      const dayOfMs = Math.floor(fromMs / dayMs);
      if (longest?.dayOfMs !== dayOfMs) longest = { dayOfMs, ms: longestGapMs(schedule, dayOfMs * dayMs) };
      return longest.ms;
    },
  };
  known.set(line, made);
  return made;
}

/** Of whatever moment between two runs the second is the next; "@every" counts from the moment itself. */
function remembering(line: string, schedule: Schedule): Schedule {
  if (line.includes("@every")) return schedule;
  const gaps: { fromMs: number; untilMs: number }[] = [];
  return {
    next(afterMs) {
      const gap = gaps.find(({ fromMs, untilMs }) => fromMs <= afterMs && afterMs < untilMs);
      if (gap) return gap.untilMs;
      const untilMs = schedule.next(afterMs);
      gaps.push({ fromMs: afterMs, untilMs });
      if (gaps.length > gapsMost) gaps.shift();
      return untilMs;
    },
  };
}

/** Over twenty runs: enough for a schedule by the hour or by the day of the week. */
function longestGapMs(schedule: Schedule, fromMs: number): number {
  let longest = 0;
  let at = schedule.next(fromMs);
  for (let run = 0; run < 20; run++) {
    const next = schedule.next(at);
    if (next === Number.POSITIVE_INFINITY) return Math.max(longest, dayMs);
    longest = Math.max(longest, next - at);
    at = next;
  }
  return longest;
}

function inWords(line: string): string {
  const text = line.replace(/^(?:CRON_)?TZ=\S*\s+/, "").trim();
  const every = /^@every (.*)$/.exec(text)?.[1];
  if (every !== undefined) return `every ${every}`;
  if (text === "@hourly") return "every hour";
  if (text === "@daily" || text === "@midnight") return "daily at 00:00";
  const [minute = "", hour = "", ...days] = text.split(/\s+/);
  const isNumber = (field: string) => /^\d+$/.test(field);
  if (!isNumber(minute) || days.some((field) => field !== "*")) return text;
  const step = /^\*\/(\d+)$/.exec(hour)?.[1];
  if (step !== undefined) return step === "1" ? "every hour" : `every ${step} hours`;
  if (hour === "*") return "every hour";
  if (isNumber(hour)) return `daily at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  return text;
}
