import type { Logger } from "../../../shared/log.ts";
import type { Call, CallFunction } from "./call-function.ts";

/** Where an asynchronous call's result is posted to, beside the function's own name. */
export interface QueuedCall extends Omit<Call, "timeoutMs" | "signal"> {
  readonly callbackUrl?: URL;
}

export interface AsyncQueue {
  /** @returns false when the queue is full. */
  offer(call: QueuedCall): boolean;
  /** Takes nothing more and waits for the call in progress; those still waiting are lost, and logged. */
  stop(): Promise<void>;
}

export interface AsyncQueueOptions {
  readonly callFunction: CallFunction;
  /** Posts results; fetch unless given. */
  readonly post?: typeof fetch;
  readonly now: () => number;
  readonly log: Logger;
  /** Calls that may wait, beside the one in progress. */
  readonly capacity?: number;
  /** What one call may take. */
  readonly timeoutMs?: number;
  /** Aborts the call in progress. */
  readonly signal: AbortSignal;
}

/**
 * Asynchronous calls as OpenFaaS CE's: a short queue in memory, one call after the other, five minutes each,
 * no retries; lost when the process ends.
 */
export function createAsyncQueue(options: AsyncQueueOptions): AsyncQueue {
  const { callFunction, post = fetch, now, log, capacity = 10, timeoutMs = 5 * 60_000, signal } = options;
  const waiting: QueuedCall[] = [];
  let worker: Promise<void> | undefined;
  let stopped = false;

  const work = async () => {
    for (let call = waiting.shift(); call && !stopped; call = waiting.shift()) {
      const startedMs = now();
      const response = await callFunction({ ...call, timeoutMs, signal });
      const body = await response.arrayBuffer().catch(() => undefined);
      const status = body === undefined ? 502 : response.status;
      log.info({ function: call.name, status, callId: call.headers.get("x-call-id") }, "asynchronous call ended");
      if (call.callbackUrl) await report(call, call.callbackUrl, response.headers, status, body, now() - startedMs);
    }
    worker = undefined;
  };

  const report = async (
    call: QueuedCall,
    url: URL,
    resultHeaders: Headers,
    status: number,
    body: ArrayBuffer | undefined,
    durationMs: number,
  ) => {
    const headers = new Headers(resultHeaders);
    headers.delete("content-length");
    headers.set("X-Function-Name", call.name);
    headers.set("X-Function-Status", String(status));
    headers.set("X-Duration-Seconds", (durationMs / 1000).toFixed(6));
    for (const header of ["X-Call-Id", "X-Start-Time"]) headers.set(header, call.headers.get(header) ?? "");
    const sent = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
    await post(url, { method: "POST", headers, body: body ?? null, signal: sent }).then(
      (answer) => answer.body?.cancel(),
      (error) => log.warn({ function: call.name, error: error.message }, "the result could not be posted"),
    );
  };

  return {
    offer(call) {
      if (stopped || waiting.length >= capacity) return false;
      waiting.push(call);
      worker ??= work();
      return true;
    },
    async stop() {
      stopped = true;
      for (const { name } of waiting.splice(0)) log.warn({ function: name }, "an asynchronous call was lost");
      await worker;
    },
  };
}
