import { badOutcomes } from "../../../shared/run/report.ts";
import type { AppState, AppStatus, DayStatus, RunStatus, Severity } from "../view.ts";
import type { IconName } from "./icons.ts";

/** How something is shown: a word, a shape and a colour, so that each of them alone is enough. */
export interface Look {
  readonly word: string;
  readonly icon: IconName;
  readonly tone: "good" | "same" | "bad" | "warn" | "run" | "calm";
}

const states: Record<AppState, Look> = {
  ok: { word: "All well", icon: "good", tone: "good" },
  late: { word: "Late", icon: "late", tone: "warn" },
  failed: { word: "Failed", icon: "bad", tone: "bad" },
  running: { word: "Running", icon: "run", tone: "run" },
  waiting: { word: "Waits for you", icon: "wait", tone: "warn" },
  paused: { word: "Paused", icon: "pause", tone: "calm" },
  never: { word: "No backup yet", icon: "none", tone: "bad" },
  away: { word: "NAS away", icon: "warn", tone: "warn" },
  unknown: { word: "Not answering", icon: "unknown", tone: "warn" },
};
export const lookOfApp = ({ state }: Pick<AppStatus, "state">) => states[state];

export const days: Record<DayStatus["state"], string> = {
  ok: "new",
  unchanged: "unchanged",
  failed: "failed",
  late: "late",
  none: "none due",
  paused: "paused",
};

export const severities: Record<Severity, Look> = {
  problem: { word: "Problem", icon: "bad", tone: "bad" },
  warning: { word: "Warning", icon: "warn", tone: "warn" },
  info: { word: "Note", icon: "same", tone: "calm" },
};

export function lookOfOutcome(outcome: RunStatus["outcome"]): Look {
  const word = outcome.charAt(0).toUpperCase() + outcome.slice(1);
  if (outcome === "cancelled" || outcome === "postponed") return { word, icon: "pause", tone: "warn" };
  if ((badOutcomes as readonly string[]).includes(outcome)) return { word, icon: "bad", tone: "bad" };
  if (outcome === "unchanged") return { word, icon: "same", tone: "same" };
  return { word, icon: "good", tone: "good" };
}
