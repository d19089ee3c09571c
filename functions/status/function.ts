import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Hono } from "hono";
import type { EventBus } from "../../events/bus.ts";
import { loadConfig } from "../../shared/config.ts";
import { tokenSecret } from "../../shared/http/authorize.ts";
import { wantsJson } from "../../shared/http/problem.ts";
import { createLog, type Logger } from "../../shared/log.ts";
import { natsUrlOf } from "../../shared/nats-url.ts";
import type { FunctionOptions, ServedFunction } from "../function.ts";
import { loadAppTypes } from "../types.ts";
import { readStatusSettings } from "./settings.ts";
import { viewText } from "./view-of/make-view.ts";
import { gatewayAt } from "./watch/ask.ts";
import { readSchedules } from "./watch/schedules.ts";
import { Watch } from "./watch/watch.ts";
import { watchedApp } from "./watch/watched-app.ts";

/** Whoever looks before the first round has ended waits for it so long. */
const firstLookMs = 3000;

/**
 * The function `status`: the page, the metrics, and the watch, which works of its own accord once it is started.
 * @throws {Failure} `invalid_config`.
 */
export async function loadStatus({
  configPath,
  log = createLog("status"),
  natsUrl,
  gatewayUrl,
  isRested = false,
  now = Date.now,
}: FunctionOptions & { now?: () => number }): Promise<Required<ServedFunction>> {
  const config = await loadConfig(configPath, await loadAppTypes());
  const settings = readStatusSettings(config.status);
  const token = async () =>
    (await readFile(join(config.secrets, tokenSecret), "utf8").catch(() => "")).trim() || undefined;
  const url = () => natsUrlOf(config, natsUrl || process.env.NATS_URL);
  const gateway = gatewayAt(
    gatewayUrl ||
      process.env.KEEPSAKE_GATEWAY ||
      process.env.OPENFAAS_URL ||
      `http://gateway.${config.cluster?.openfaasNamespace ?? "openfaas"}:8080`,
  );
  const stackFile = settings.stackFile ?? join(import.meta.dirname, "../../stack.yml");
  const watch = new Watch({
    apps: config.apps.map(watchedApp),
    settings,
    timeZone: config.timeZone,
    gateway,
    ...((await url()) !== undefined && { openBus: async () => openBus((await url()) ?? "", log) }),
    schedules: async () => readSchedules(gateway, { password: await token(), stackFile, environment: process.env }),
    token,
    log,
    now,
    isRested,
  });
  return {
    fetch: statusFetch(watch),
    start: () => watch.start(),
    stop: () => watch.stop(),
    async rest() {
      const bell = await url();
      return { forMs: watch.restMs(), ...(bell !== undefined && { bell }) };
    },
  };
}

/** A connection for each time that NATS is found again: whom it lets in may have changed meanwhile. */
async function openBus(url: string, log: Logger): Promise<EventBus> {
  const { openBus: open } = await import("../../events/bus.ts");
  return open(url, { name: "status", log });
}

/**
 * GET / → the page for a browser, JSON for who asks for it, else lines. GET /metrics → for Prometheus. POST / → a round
 * of the watch, whatever the body: cron sends none.
 */
export function statusFetch(
  watch: Pick<Watch, "look" | "settled" | "round" | "view">,
): (request: Request) => Promise<Response> {
  const after = async (look: Promise<void>) => {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, firstLookMs);
    });
    await Promise.race([look, enough]);
    clearTimeout(timer);
    return watch.view();
  };
  const api = new Hono();
  api.get("/_/health", (c) => c.text("OK\n"));
  api.get("/_/ready", (c) => c.text("OK\n"));
  api.get("/metrics", async () => {
    const { metricsText } = await import("./metrics.ts");
    const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
    // Asked for all the time: what is known does, so that not every function is asked all the time, too.
    return new Response(await metricsText(await after(watch.settled())), { headers });
  });
  api.get("/", async (c) => {
    const view = await after(watch.look());
    if (wantsJson(c.req.raw)) return c.json(view);
    if (!/\btext\/html\b/.test(c.req.header("accept") ?? "")) return c.text(viewText(view));
    const { statusPage } = await import("./page/page.ts");
    return statusPage(view, Date.parse(view.madeAt));
  });
  api.post("/", async (c) => {
    await watch.round();
    const view = watch.view();
    return wantsJson(c.req.raw) ? c.json(view) : c.text(viewText(view));
  });
  return async (request) => api.fetch(request);
}
