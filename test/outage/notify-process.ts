import { loadNotify } from "../../functions/notify/function.ts";
import { createLog } from "../../shared/log.ts";
import { fastClock } from "./fast-clock.ts";

/* The function notify as a process of its own, by a fast clock: node notify-process.ts <keepsake.yaml> <nats url> <ms> */
const [configPath = "", natsUrl = "", startMs = ""] = process.argv.slice(2);
const log = createLog("notify", "warn");
const notify = await loadNotify({ configPath, natsUrl, log, clock: fastClock(Number(startMs)) });
notify.start();
