import { createLog } from "../shared/log.ts";
import { loadFunction } from "./function.ts";

/*
 * One function as a process. Environment: KEEPSAKE_FUNCTION (its name), KEEPSAKE_CONFIG (path of keepsake.yaml), PORT
 * (8080). Runs on Node as `node functions/serve.ts` and on Deno as `deno serve --allow-all functions/serve.ts`.
 */
const name = process.env.KEEPSAKE_FUNCTION || "";
const log = createLog(name || "function");
const handler = await loadFunction(name, { configPath: process.env.KEEPSAKE_CONFIG || "keepsake.yaml", log });

export default { fetch: handler.fetch };

if ("Deno" in globalThis) {
  handler.start?.();
} else {
  const { serve } = await import("@hono/node-server");
  const server = serve(
    { fetch: handler.fetch, port: Number(process.env.PORT || 8080), hostname: process.env.HOST || "0.0.0.0" },
    ({ address, port }) => {
      log.info(`${name} listens on ${address}:${port}`);
      handler.start?.();
    },
  );
  // Runs go on without this process; only answers under way are waited for, and what the function does by itself.
  process.once("SIGTERM", () => {
    const closed = new Promise((resolve) => server.close(resolve));
    void Promise.all([closed, handler.stop?.()]).finally(() => process.exit(0));
  });
}
