import { serve } from "@hono/node-server";
import { loadStatus } from "../../functions/status/function.ts";
import { createLog } from "../../shared/log.ts";
import { fastClock } from "./fast-clock.ts";

/*
 * The function status as a process of its own, by a fast clock:
 * node status-process.ts <keepsake.yaml> <nats url> <gateway url> <port> <ms>
 */
const [configPath = "", natsUrl = "", gatewayUrl = "", port = "", startMs = ""] = process.argv.slice(2);
const log = createLog("status", "warn");
const { now } = fastClock(Number(startMs));
const status = await loadStatus({ configPath, natsUrl, gatewayUrl, log, now });
serve({ fetch: status.fetch, port: Number(port), hostname: "127.0.0.1" }, status.start);
