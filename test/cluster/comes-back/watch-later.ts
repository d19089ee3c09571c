import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readStatusSettings } from "../../../functions/status/settings.ts";
import { gatewayAt } from "../../../functions/status/watch/ask.ts";
import { Watch } from "../../../functions/status/watch/watch.ts";
import { watchedApp } from "../../../functions/status/watch/watched-app.ts";
import { loadAppTypes } from "../../../functions/types.ts";
import { connect } from "../../../shared/cluster/client.ts";
import { loadConfig } from "../../../shared/config.ts";
import { appFunction } from "../../../shared/http/app-function.ts";
import { MemoryRuns } from "../../../shared/http/memory-runs.ts";
import type { RunDescription } from "../../../shared/run/description.ts";
import { silentLog } from "../../../shared/testing.ts";
import { places } from "../../worlds/factorio.ts";
import type { Cluster } from "../cluster.ts";
import { outsidePlace } from "./outside-place.ts";

const hourMs = 3_600_000;

/**
 * The watch looks at Factorio's function an hour from now, for the first time since its own start.
 * @returns The runs that it has the function start, which nobody has carried out yet.
 */
export async function watchAnHourLater(folder: string, cluster: Cluster): Promise<readonly RunDescription[]> {
  const now = () => Date.now() + hourMs;
  const config = await loadConfig(places(folder).config, await loadAppTypes());
  await mkdir(config.secrets, { recursive: true });
  await writeFile(join(config.secrets, "keepsake-token"), "a-long-token");
  const runs = new MemoryRuns();
  const { fetch } = appFunction({
    ...{ name: "backup-factorio", kind: "backup", type: "factorio" },
    ...{ config, runs, now, log: silentLog },
    place: outsidePlace(config, connect(cluster.config())),
  });
  const send = async (url: string | URL | Request, init?: RequestInit) => {
    const path = new URL(String(url)).pathname.replace("/function/backup-factorio", "");
    return fetch(new Request(`http://function${path || "/"}`, init));
  };
  const watch = new Watch({
    apps: config.apps.map(watchedApp),
    settings: readStatusSettings({ digestAt: "off", scrubHours: 0, drillDays: 0 }),
    timeZone: "UTC",
    gateway: gatewayAt("http://gateway", send as typeof globalThis.fetch),
    schedules: async () => new Map(),
    token: async () => "a-long-token",
    log: silentLog,
    now,
  });
  await watch.round();
  return runs.started;
}
