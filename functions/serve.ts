import { createLog } from "../shared/log.ts";
import { loadFunction } from "./function.ts";

/*
 * One function as a process. Environment: KEEPSAKE_FUNCTION (its name), KEEPSAKE_CONFIG (path of keepsake.yaml), PORT
 * (8080). Runs on Node as `node functions/serve.ts` and on Deno as `deno serve --allow-all functions/serve.ts`.
 */
const name = process.env.KEEPSAKE_FUNCTION || "";
const log = createLog(name || "function");
const handler = await loadFunction(name, { configPath: process.env.KEEPSAKE_CONFIG || "keepsake.yaml", log });

export default handler;

if (!("Deno" in globalThis)) {
  const { serve } = await import("@hono/node-server");
  const server = serve(
    { fetch: handler.fetch, port: Number(process.env.PORT || 8080), hostname: process.env.HOST || "0.0.0.0" },
    ({ address, port }) => log.info(`${name} listens on ${address}:${port}`),
  );
  // Runs go on without this process; only answers under way are waited for.
  process.once("SIGTERM", () => server.close(() => process.exit(0)));
}
