import type { Overall, Severity, StatusView } from "../view.ts";
import { type Family, family, one, stateSet, unixSeconds } from "./family.ts";

const levels = ["safe", "attention", "danger"] satisfies Overall["level"][];
const severities = ["problem", "warning", "info"] satisfies Severity[];

/** What all apps lean on, and what is wrong. */
export function houseFamilies({
  madeAt,
  watchedAt,
  overall,
  nas,
  events,
  notify,
  conditions,
  apps,
}: StatusView): Family[] {
  return [
    one("keepsake_view_timestamp_seconds", "The moment at which all this was so.", unixSeconds(madeAt)),
    one("keepsake_watch_last_round_timestamp_seconds", "When the watch last went all the way round.", unixSeconds(watchedAt)),
    family("keepsake_overall_state", "Whether all is safe: the level that it is has 1.", stateSet("level", levels, overall.level)),
    one("keepsake_nas_reachable", "Whether the NAS answers.", nas.reachable === undefined ? undefined : Number(nas.reachable)),
    one("keepsake_nas_checked_timestamp_seconds", "When that was last seen.", unixSeconds(nas.checkedAt)),
    one("keepsake_nas_free_bytes", "Free space on the NAS.", nas.freeBytes),
    one("keepsake_nas_size_bytes", "Size of the NAS's file system.", nas.totalBytes),
    one("keepsake_events_connected", "Whether NATS is connected.", Number(events.connected)),
    family("keepsake_undelivered_outcomes", "Outcomes of runs that could not be told yet.",
      apps.map(({ app }) => ({ labels: { app }, value: events.undelivered[app] ?? 0 }))),
    one("keepsake_messages_last_delivered_timestamp_seconds", "When a message last reached people.", unixSeconds(notify.lastDeliveredAt)),
    one("keepsake_messages_waiting", "Events on their way to people.", notify.waiting),
    one("keepsake_messages_parked", "Messages that no channel takes.", notify.parked),
    family("keepsake_conditions", "How many things are wrong.",
      severities.map((severity) => ({ labels: { severity }, value: conditions.filter((each) => each.severity === severity).length }))),
    family("keepsake_condition_since_timestamp_seconds", "Since when a thing is wrong.",
      conditions.map(({ id, app = "", severity, since }) => ({ labels: { condition: id, app, severity }, value: unixSeconds(since) }))),
  ]; // biome-ignore format: a table
}
