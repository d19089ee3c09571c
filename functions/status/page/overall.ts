import { count, formatAge } from "../../../shared/words.ts";
import type { AppStatus, Overall, StatusView } from "../view.ts";
import { formatFor, listed } from "./words.ts";

/** Named one by one in the sentence; of more, their number. */
const namedApps = 3;

/** "Am I safe?" in one sentence: how many apps are, which are not and why, else what needs a look. */
export function overallOf(view: Omit<StatusView, "overall">): Overall {
  const { apps, nas, conditions } = view;
  const nowMs = Date.parse(view.madeAt);
  const age = (at: string) => formatAge(nowMs - Date.parse(at));
  const lasting = (since = view.madeAt) => formatFor(nowMs - Date.parse(since));
  const away = (since?: string) => (lasting(since) === "" ? "is away" : `has been away${lasting(since)}`);
  if (apps.length === 0) return { level: "attention", sentence: "No app is set up yet, so nothing is backed up." };

  const lastGood = apps.flatMap((app) => app.lastGood?.at ?? []).toSorted();
  if (nas.reachable === false) {
    const newest = lastGood.at(-1);
    const backups = newest === undefined ? "" : `, and the newest backup is ${age(newest)} old`;
    return {
      level: "danger",
      sentence: `The NAS ${away(nas.since)}: nothing is backed up${backups}.`,
    };
  }

  const unsafe = apps.flatMap((app) => {
    const why = whyUnsafe(app, age);
    return why ? [{ title: app.title, ...why }] : [];
  });
  const safe = safeCount(apps, apps.length - unsafe.length);
  if (unsafe.length > 0) {
    const [only] = unsafe;
    const named = unsafe.slice(0, namedApps).map(({ title, brief }) => `${title} (${brief})`);
    if (unsafe.length > namedApps) named.push(`${unsafe.length - namedApps} more`);
    const what = only && unsafe.length === 1 ? `${only.title} is not: ${only.why}` : `not safe: ${listed(named)}`;
    if (apps.length === 1) return { level: "danger", sentence: `${only?.title} is not safe: ${only?.why}.` };
    return { level: "danger", sentence: `${safe}; ${what}.` };
  }

  const silent = apps.filter((app) => app.state === "unknown");
  if (silent.length > 0) {
    const since = silent.flatMap((app) => app.unknownSince ?? []).toSorted()[0];
    const names = listed(silent.map(({ title }) => title));
    const rest = apps.length - silent.length;
    const known = rest === 0 ? "Nobody knows whether anything is safe" : safeCount(apps, rest);
    return {
      level: "attention",
      sentence: `${known}; ${names} ${silent.length === 1 ? "has" : "have"} not answered${lasting(since)}.`,
    };
  }

  const problems = conditions.filter(({ severity }) => severity === "problem");
  const look = problems.length > 0 ? problems : conditions.filter(({ severity }) => severity === "warning");
  const undelivered = Object.values(view.events.undelivered).reduce((sum, n) => sum + n, 0);
  const [first] = look;
  if (first) {
    const level = problems.length > 0 ? "danger" : "attention";
    if (look.length > 1) return { level, sentence: `${safe}, but ${look.length} other things need a look.` };
    return { level, sentence: `${safe}, but one thing needs a look: ${asClause(first.message)}.` };
  }
  if (!view.events.connected)
    return {
      level: "attention",
      sentence: `${safe}, but news of them waits: NATS ${away(view.events.since)}.`,
    };
  if (undelivered > 0)
    return {
      level: "attention",
      sentence: `${safe}, but ${count(undelivered, "outcome")} could not be told to anybody yet.`,
    };
  if (view.notify.parked > 0)
    return {
      level: "attention",
      sentence: `${safe}, but ${count(view.notify.parked, "message")} could not be delivered.`,
    };

  const oldest = lastGood[0];
  const backup = apps.length === 1 ? "its last backup" : "the oldest of their last backups";
  return { level: "safe", sentence: `${safe}${oldest === undefined ? "" : `; ${backup} is ${age(oldest)} old`}.` };
}

/** Why, as the end of a sentence and in brief; undefined: it is safe. An app that does not answer was what it was. */
function whyUnsafe(app: AppStatus, age: (at: string) => string): { why: string; brief: string } | undefined {
  if (app.points.find(({ latest }) => latest)?.damaged !== undefined)
    return { why: "its newest backup is damaged", brief: "newest backup damaged" };
  if (!app.lastGood) return { why: "it has no backup yet", brief: "no backup yet" };
  const last = `the last good one is ${age(app.lastGood.at)} old`;
  const brief = `last good one ${age(app.lastGood.at)} old`;
  if (app.waiting !== undefined) return { why: `its backups wait for you, ${last}`, brief: "waits for you" };
  if (app.failedInARow > 0) return { why: `its last backup failed, ${last}`, brief: `failed, ${brief}` };
  if (app.lateSince !== undefined && app.state !== "paused")
    return { why: `its backup is late, ${last}`, brief: `late, ${brief}` };
  return undefined;
}

function safeCount(apps: readonly AppStatus[], safe: number): string {
  const all = apps.length;
  if (all === 1) return `${apps[0]?.title} is safe`;
  if (safe === 0) return `None of the ${all} apps is safe`;
  if (safe === all) return all === 2 ? "Both apps are safe" : `All ${all} apps are safe`;
  return `${safe} of ${all} apps ${safe === 1 ? "is" : "are"} safe`;
}

/** A sentence as a part of another one. */
const asClause = (sentence: string) =>
  sentence.replace(/\.$/, "").replace(/^(The|A|An|It|There|No) /, (word) => word.toLowerCase());
