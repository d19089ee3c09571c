import { createWriteStream } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { loadAppTypes } from "../../../functions/types.ts";
import { loadConfig } from "../../../shared/config.ts";
import { tokenSecret } from "../../../shared/http/authorize.ts";
import { createLog } from "../../../shared/log.ts";
import { loadStackFile } from "../../../shared/stack/stack-file.ts";
import type { FetchHandler } from "../gateway/call-function.ts";
import { createGateway } from "../gateway/gateway.ts";
import { removeGatewayFile, writeGatewayFile } from "../gateway/gateway-file.ts";
import { gatewayNats } from "../gateway/nats.ts";
import { startNatsConnector } from "../gateway/nats-connector.ts";
import { deployStack } from "../gateway/stack-functions.ts";
import { ensureToken } from "../gateway/token.ts";
import { placesIn } from "./lab.ts";

export interface DemoGateway {
  readonly url: string;
  readonly tokenFile: string;
  readonly token: string;
  /** Where events go, for people. */
  readonly nats: string;
  /** Whether an event wakes the function that waits for it. */
  readonly wakes: boolean;
  stop(): Promise<void>;
}

/** The gateway of `make up`, on a free port and without schedules, which would run into the story. */
export async function startDemoGateway(folder: string): Promise<DemoGateway> {
  const { config, state, secrets } = placesIn(folder);
  const stack = await loadStackFile(join(import.meta.dirname, "../../../stack.yml"), process.env);
  await mkdir(state, { recursive: true });
  const tokenFile = join(secrets, tokenSecret);
  const token = await ensureToken(tokenFile);
  const logFile = createWriteStream(join(state, "gateway.log"), { flags: "a" });
  const log = createLog("gateway", "info", { write: (line) => logFile.write(line) });
  const functions = new Map<string, FetchHandler>();
  const gateway = createGateway({
    functions,
    stack: [],
    port: 0,
    auth: { user: "admin", password: token },
    secretNames: () => readdir(secrets),
    log,
  });
  const url = await gateway.start();
  const nats = await gatewayNats(await loadConfig(config, await loadAppTypes()), process.env.NATS_URL);
  const stopFunctions = await deployStack(stack, gateway, functions, {
    configPath: config,
    natsUrl: nats.url,
    gatewayUrl: url,
    logOf: () => log,
  });
  const listed = gateway.deployments.list;
  const connector =
    nats.url === undefined
      ? undefined
      : startNatsConnector({ natsUrl: nats.url, gatewayUrl: url, functions: listed, log });
  await writeGatewayFile(state, { url, pid: process.pid, startedAt: new Date().toISOString(), tokenFile });
  return {
    url,
    tokenFile,
    token,
    nats: nats.about,
    wakes: nats.url !== undefined,
    async stop() {
      await Promise.all([stopFunctions(), connector?.stop()]);
      await removeGatewayFile(state, process.pid);
      await gateway.stop(1_000);
      await nats.stop();
      await new Promise<void>((resolve) => logFile.end(resolve));
    },
  };
}
