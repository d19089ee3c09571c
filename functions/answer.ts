import "./parse-once.ts";
import { createAdaptorServer } from "@hono/node-server";
import { toFailure } from "../shared/failures.ts";
import { createLog } from "../shared/log.ts";
import type { ToDoor, ToHand } from "../shared/serve/messages.ts";
import { loadFunction } from "./function.ts";

/**
 * The process that does a function's work, started by its door: `node functions/answer.ts <socket> [rested]`.
 * Environment:
 * KEEPSAKE_FUNCTION (its name), KEEPSAKE_CONFIG (path of keepsake.yaml).
 */
export async function main(): Promise<void> {
  const name = process.env.KEEPSAKE_FUNCTION || "";
  const log = createLog(name || "function");
  const draining = new AbortController();
  const configPath = process.env.KEEPSAKE_CONFIG || "keepsake.yaml";
  const [socketPath, rested] = process.argv.slice(2);
  const options = { configPath, log, draining: draining.signal, isRested: rested === "rested" };
  const handler = await loadFunction(name, options).catch((error) => {
    const { message, hint } = toFailure(error);
    log.fatal({ hint }, message);
    process.exit(1);
  });
  const server = createAdaptorServer({ fetch: handler.fetch });
  const tell = (message: ToDoor) => process.connected && process.send?.(message);
  let stopped: Promise<unknown> | undefined;
  const stop = () => {
    draining.abort();
    stopped ??= Promise.resolve(handler.stop?.());
    return stopped;
  };
  const end = () => {
    const closed = new Promise((resolve) => server.close(resolve));
    void Promise.all([closed, stop()]).finally(() => process.exit(0));
  };
  process.on("message", (message: ToHand) => {
    if (message.kind === "drain") void stop();
    else void Promise.resolve(handler.rest?.() ?? {}).then((rest) => tell({ kind: "rest", ...rest }));
  });
  process.once("SIGTERM", end);
  // The terminal's Ctrl-C is for the door, which tells when it is time. Without a door there is nobody to answer to.
  process.on("SIGINT", () => {});
  process.once("disconnect", end);
  server.listen(socketPath, () => {
    tell({ kind: "up" });
    handler.start?.();
  });
}

if (import.meta.main) void main();
