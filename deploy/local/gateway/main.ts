import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadAppTypes } from "../../../functions/types.ts";
import packageFile from "../../../package.json" with { type: "json" };
import { loadConfig } from "../../../shared/config.ts";
import { Failure, toFailure } from "../../../shared/failures.ts";
import { tokenSecret } from "../../../shared/http/authorize.ts";
import { createLog } from "../../../shared/log.ts";
import { loadStackFile } from "../../../shared/stack/stack-file.ts";
import type { FetchHandler } from "./call-function.ts";
import { startCron } from "./cron.ts";
import { createFunctionLogs } from "./function-log.ts";
import { createGateway } from "./gateway.ts";
import { findRunningGateway, removeGatewayFile, writeGatewayFile } from "./gateway-file.ts";
import { gatewayNats } from "./nats.ts";
import { startNatsConnector } from "./nats-connector.ts";
import { startReconcile } from "./reconcile.ts";
import { deployStack } from "./stack-functions.ts";
import { greeting, readableLogLine } from "./terminal.ts";
import { ensureToken } from "./token.ts";

/*
 * `make up`: the functions of stack.yml behind a gateway on this machine, with their schedules.
 * node deploy/local/gateway/main.ts --config keepsake.yaml [--port 8080] [--host 127.0.0.1] [--stack stack.yml]
 *   [--timeout 60]   seconds that one call may take, as OpenFaaS's gateway has it
 */

/** What a call in progress is given when the gateway ends, in ms: short, for a person waits at the terminal. */
const graceMs = 3_000;

async function main(argv: string[]): Promise<void> {
  const { values } = parseArgs({
    args: argv,
    options: {
      config: { type: "string" },
      port: { type: "string", default: "8080" },
      host: { type: "string", default: "127.0.0.1" },
      stack: { type: "string", default: join(import.meta.dirname, "../../../stack.yml") },
      timeout: { type: "string", default: "60" },
    },
  });
  if (values.config === undefined)
    throw new Failure("invalid_request", "Cannot start: --config keepsake.yaml is wanted");
  const config = await loadConfig(values.config, await loadAppTypes());
  const stack = await loadStackFile(values.stack, process.env);
  await mkdir(config.state, { recursive: true });
  const other = await findRunningGateway(config.state);
  if (other) {
    throw new Failure(
      "invalid_request",
      `Cannot start a second gateway over "${config.state}": one answers at ${other.url}`,
      {
        hint: `Use it, or end it first: kill ${other.pid}`,
      },
    );
  }
  const tokenFile = join(config.secrets, tokenSecret);
  const password = await ensureToken(tokenFile);

  const write = (line: string) => process.stderr.write(process.stderr.isTTY ? readableLogLine(line) : line);
  const log = createLog("gateway", "info", { write });
  const logs = createFunctionLogs({ now: Date.now });
  const functions = new Map<string, FetchHandler>();
  const logOf = (service: string) =>
    createLog(service, "info", {
      write(line) {
        logs.append(service, line.trimEnd());
        write(line);
      },
    });

  const gateway = createGateway({
    functions,
    stack: [],
    port: numberOf(values.port, "--port", 0, 65_535),
    host: values.host,
    timeoutMs: numberOf(values.timeout, "--timeout", 1, 86_400) * 1000,
    auth: { user: "admin", password },
    secretNames: () => readdir(config.secrets),
    version: packageFile.version,
    logs,
    log,
  });
  const url = await gateway.start();
  if (!/^(127\.|localhost$|::1$)/.test(values.host)) {
    log.warn("whoever reaches this address can call every function; only what is dangerous asks for the token");
  }
  const nats = await gatewayNats(config, process.env.NATS_URL);
  const stopFunctions = await deployStack(stack, gateway, functions, {
    configPath: config.path,
    natsUrl: nats.url,
    gatewayUrl: url,
    logOf,
  });
  const startedAt = new Date().toISOString();
  await writeGatewayFile(config.state, { url, pid: process.pid, startedAt, tokenFile: resolve(tokenFile) });
  const listed = gateway.deployments.list;
  const cron = startCron({ gatewayUrl: url, functions: listed, log });
  const connector =
    nats.url === undefined
      ? undefined
      : startNatsConnector({ natsUrl: nats.url, gatewayUrl: url, functions: listed, log });
  const stopReconcile = startReconcile({ config, gatewayUrl: url, token: password, log });

  const stop = async () => {
    cron.stop();
    stopReconcile();
    await Promise.all([stopFunctions(), connector?.stop()]);
    await removeGatewayFile(config.state, process.pid);
    await gateway.stop(graceMs);
    await nats.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(130));
      void stop().then(() => process.exit(0));
    });
  }
  // Last: whoever waits for it may end this process right after it.
  process.stdout.write(
    greeting({
      url,
      configPath: config.path,
      tokenFile,
      nats: nats.about,
      functions: gateway.deployments.list().map(({ name, annotations }) => ({ name, topic: annotations?.topic })),
      scheduled: cron.list(),
    }),
  );
}

function numberOf(text: string, option: string, min: number, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new Failure("invalid_request", `Cannot use ${option} "${text}": a number from ${min} to ${max} is wanted`);
}

await main(process.argv.slice(2)).catch((error) => {
  const { message, hint } = toFailure(error);
  process.stderr.write(`${message}\n${hint ? `${hint}\n` : ""}`);
  process.exit(1);
});
