import { loadFunction, type ServedFunction } from "../../../functions/function.ts";
import type { Logger } from "../../../shared/log.ts";
import type { Deployment } from "../../../shared/stack/stack-file.ts";
import type { FetchHandler } from "./call-function.ts";
import type { Gateway } from "./gateway.ts";

export interface StackOptions {
  readonly configPath: string;
  readonly natsUrl: string | undefined;
  readonly gatewayUrl: string;
  readonly logOf: (service: string) => Logger;
}

/**
 * Loads the functions of a stack, deploys them at a gateway that listens, for some call others, and starts what they do
 * by themselves.
 * @param functions The gateway's.
 * @returns Ends what they do by themselves.
 */
export async function deployStack(
  stack: readonly Deployment[],
  gateway: Gateway,
  functions: Map<string, FetchHandler>,
  { logOf, ...options }: StackOptions,
): Promise<() => Promise<void>> {
  const served: ServedFunction[] = [];
  for (const deployment of stack) {
    const { service } = deployment;
    const handler = await loadFunction(service, { ...options, log: logOf(service) });
    functions.set(service, handler.fetch);
    gateway.deployments.set(deployment);
    served.push(handler);
  }
  for (const handler of served) handler.start?.();
  return async () => {
    await Promise.all(served.map((handler) => handler.stop?.()));
  };
}
