import { createLog } from "../shared/log.ts";
import { loadFunction } from "./function.ts";

/*
 * One function as a Web-standard fetch handler, for whatever serves such: `deno serve --allow-all functions/fetch.ts`.
 * Environment: KEEPSAKE_FUNCTION (its name), KEEPSAKE_CONFIG (path of keepsake.yaml).
 */
const name = process.env.KEEPSAKE_FUNCTION || "";
const configPath = process.env.KEEPSAKE_CONFIG || "keepsake.yaml";
const handler = await loadFunction(name, { configPath, log: createLog(name || "function") });
handler.start?.();

export default { fetch: handler.fetch };
