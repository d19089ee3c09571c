import { count, formatAge, formatBytes } from "../../../shared/words.ts";
import { formatWhen, listed } from "../page/words.ts";
import type { Found } from "./held.ts";
import type { Knowledge, Situation } from "./situation.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** What comes and goes by itself has to be seen twice before it is told. */
const settleMs = minuteMs;
/** NATS may be away so long, as while it is updated. */
const natsSettleMs = 10 * minuteMs;
/** What waits to be told may do so for so long. */
const undeliveredMs = hourMs;
/** Low space is over when there is so much more than low, in percent: it does not come and go with every backup. */
const spaceMarginPercent = 2;

/** What is wrong with what all apps lean on. */
export function houseConditions(situations: readonly Situation[], knowledge: Knowledge): Found[] {
  return [
    nasAway(situations, knowledge),
    lowSpace(knowledge),
    ...silent(situations, knowledge),
    natsAway(knowledge),
    undelivered(situations, knowledge),
    ...notify(knowledge),
  ].filter((found) => found !== undefined);
}

const iso = (ms: number) => new Date(ms).toISOString();

function nasAway(situations: readonly Situation[], knowledge: Knowledge): Found | undefined {
  const { known, nowMs } = knowledge;
  if (known.nas.reachable !== false) return undefined;
  const missing = missingLines(situations, knowledge);
  const sinceMs = known.nas.sinceMs ?? nowMs;
  const backups = missing.length === 0 ? "no backup is missing yet" : "backups are missing";
  return {
    id: "nas:away",
    severity: "problem",
    message: `The NAS has been away since ${formatWhen(iso(sinceMs), knowledge)}; ${backups}.`,
    hint: "See whether it is switched on and its export mounted; what was missed is made up for once it answers.",
    details: [...missing, ...(known.nas.why === undefined ? [] : [known.nas.why])],
    over: "The NAS is back",
    sinceMs,
    settleMs,
    repeats: true,
  };
}

/** What was due and has not run, by app. */
function missingLines(situations: readonly Situation[], knowledge: Knowledge): string[] {
  return situations.flatMap(({ app, late, isPaused }) => {
    if (!late || isPaused) return [];
    const which = late.missed === 1 ? "was due at" : "of which the first was due at";
    return [`${app.title}: ${count(late.missed, "backup")}, ${which} ${formatWhen(iso(late.sinceMs), knowledge)}`];
  });
}

function lowSpace({ known, settings }: Knowledge): Found | undefined {
  const { freeBytes, totalBytes } = known.nas;
  if (freeBytes === undefined || !totalBytes) return undefined;
  const percent = (100 * freeBytes) / totalBytes;
  const held = known.held["nas:space"];
  const margin = held ? spaceMarginPercent : 0;
  if (settings.lowSpacePercent === 0 || percent >= settings.lowSpacePercent + margin) return undefined;
  // Once it is called a problem it stays one until there is clearly more.
  const isTight = percent < settings.lowSpacePercent / 3 + (held?.severity === "problem" ? margin : 0);
  return {
    id: "nas:space",
    severity: isTight ? "problem" : "warning",
    message: `The NAS has ${formatBytes(freeBytes)} free, ${percent.toFixed(percent < 10 ? 1 : 0)} % of ${formatBytes(totalBytes)}.`,
    hint: "Free some space, or keep fewer restore points (keep in keepsake.yaml).",
    over: "There is room on the NAS again",
  };
}

/** All of them silent is one thing, not one for each. */
function silent(situations: readonly Situation[], knowledge: Knowledge): Found[] {
  const { known } = knowledge;
  const functions = [...new Set(situations.map(({ app }) => app.backupFunction))];
  const away = functions.filter((name) => known.silent[name]);
  const isAll = functions.length > 1 && away.length === functions.length;
  // One that was told by itself is over when it answers.
  const alone = isAll ? away.filter((name) => known.held[`silent:${name}`]?.toldMs !== undefined) : away;
  const all: Found[] = [];
  if (isAll) {
    const sinceMs = Math.max(...away.map((name) => known.silent[name]?.sinceMs ?? 0));
    all.push({
      id: "gateway:silent",
      severity: "problem",
      message: `No function has answered since ${formatWhen(iso(sinceMs), knowledge)}: ${known.silent[away[0] ?? ""]?.why}.`,
      hint: "See whether the gateway and the functions run: make doctor",
      details: missingLines(situations, knowledge),
      over: "The functions answer again",
      ...{ sinceMs, settleMs, repeats: true },
    });
  }
  const single = alone.map((name): Found => {
    const { sinceMs, why } = known.silent[name] as { sinceMs: number; why: string };
    const apps = situations.filter(({ app }) => app.backupFunction === name);
    return {
      id: `silent:${name}`,
      ...(apps.length === 1 && apps[0] && { app: apps[0].app.name }),
      severity: "problem",
      message: `${listed(apps.map(({ app }) => app.title))}: ${name} has not answered since ${formatWhen(iso(sinceMs), knowledge)}: ${why}.`,
      hint: "See its log, and whether it runs: make doctor",
      details: missingLines(apps, knowledge),
      over: `${name} answers again`,
      // With all of them it is repeated for all.
      ...{ sinceMs, settleMs, repeats: !isAll },
    };
  });
  return [...all, ...single];
}

function natsAway({ known, nowMs, timeZone }: Knowledge): Found | undefined {
  const { connected, sinceMs } = known.nats;
  if (connected) return undefined;
  const waiting = Object.values(known.undelivered).reduce((sum, { count }) => sum + count, 0);
  const what = waiting === 0 ? "nothing waits yet" : `${count(waiting, "outcome")} wait to be told`;
  return {
    id: "nats:away",
    severity: "warning",
    message: `NATS has been away since ${formatWhen(iso(sinceMs), { nowMs, timeZone })}; ${what}.`,
    hint: "See whether it runs. Backups go on, and what waits is told when it is back.",
    over: "NATS is back",
    sinceMs,
    settleMs: natsSettleMs,
  };
}

/** While NATS is away it is that which is wrong. */
function undelivered(situations: readonly Situation[], { known, nowMs }: Knowledge): Found | undefined {
  const waiting = Object.entries(known.undelivered);
  if (!known.nats.connected || waiting.length === 0) return undefined;
  const sinceMs = Math.min(...waiting.map(([, { sinceMs }]) => sinceMs));
  if (nowMs - sinceMs < undeliveredMs && !known.held.undelivered) return undefined;
  const total = waiting.reduce((sum, [, { count }]) => sum + count, 0);
  const titleOf = (name: string) => situations.find(({ app }) => app.name === name)?.app.title ?? name;
  return {
    id: "undelivered",
    severity: "warning",
    message: `${count(total, "outcome")} could not be told to anybody for ${formatAge(nowMs - sinceMs)}.`,
    hint: "They are safe on the NAS. See the log of the functions for why NATS does not take them.",
    details: waiting.map(([name, { count }]) => `${titleOf(name)}: ${count}`),
    over: "All outcomes are told",
    sinceMs,
  };
}

function notify({ known, nowMs, timeZone }: Knowledge): Found[] {
  const { parked = 0, oldestWaitingAt, waiting = 0, lastError } = known.notify;
  const found: Found[] = [];
  const away = known.silent.notify;
  if (away) {
    found.push({
      id: "silent:notify",
      severity: "problem",
      message: `notify has not answered since ${formatWhen(iso(away.sinceMs), { nowMs, timeZone })}: ${away.why}.`,
      hint: "Nobody is told anything until it runs again; nothing is lost. See its log.",
      over: "notify answers again",
      ...{ sinceMs: away.sinceMs, settleMs },
    });
  }
  const oldestMs = oldestWaitingAt === undefined ? nowMs : Date.parse(oldestWaitingAt);
  if (!away && nowMs - oldestMs >= undeliveredMs) {
    found.push({
      id: "notify:waiting",
      severity: "problem",
      message: `${count(waiting, "message")} could not be delivered for ${formatAge(nowMs - oldestMs)}${lastError === undefined ? "" : `: ${lastError}`}.`,
      hint: "make test-telegram",
      over: "Messages are delivered again",
      sinceMs: oldestMs,
    });
  }
  if (parked > 0) {
    found.push({
      id: "notify:parked",
      severity: "warning",
      message: `${count(parked, "message")} ${parked === 1 ? "was" : "were"} put aside because no channel takes ${parked === 1 ? "it" : "them"}.`,
      hint: "GET /function/notify lists them.",
      over: "No message is put aside any more",
    });
  }
  return found;
}
