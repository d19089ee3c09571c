import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { functionAddress } from "../../shared/http/function-address.ts";
import { NotifyView } from "../../shared/http/notify-view.ts";
import { parseJson } from "../../shared/json.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { Problem, RunView, StateView } from "../../shared/run/report.ts";
import { CliError, exits } from "./exit.ts";
import type { GatewayChoice } from "./gateway.ts";
import { parseEvents, type ServerSentEvent } from "./sse.ts";

/** A function refused, or could not do, what was asked (RFC 9457). */
export class ProblemError extends CliError {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(exits.failed, problem.detail, { hint: problem.hint });
    this.problem = problem;
  }
}

/** Something in between answered instead of the function: a gateway's timeout, a proxy, no such function. */
export class HttpError extends CliError {
  readonly status: number;

  constructor(what: string, status: number, text: string) {
    super(exits.failed, `Cannot ${what}: the gateway answers ${status}${text && ` "${text}"`}`);
    this.status = status;
  }
}

export interface Timing {
  /** Waits before the first, second, … next try; the last one repeats. */
  readonly backOffMs: readonly number[];
  /** A stream that is silent for so long is taken for dead. */
  readonly idleMs: number;
  /** How long nobody may answer before following a run is given up. */
  readonly giveUpMs: number;
  /** How long one answer may take. */
  readonly answerMs: number;
}

const usualTiming: Timing = {
  backOffMs: [200, 500, 1000, 2000, 5000],
  idleMs: 45_000,
  giveUpMs: 600_000,
  answerMs: 60_000,
};

/** The functions' HTTP, as DESIGN.md's "Every function answers the same way" has it. */
export class Client {
  readonly gateway: GatewayChoice;
  readonly timing: Timing;
  readonly #token: string | undefined;

  constructor(gateway: GatewayChoice, token: string | undefined, timing: Timing = usualTiming) {
    this.gateway = gateway;
    this.timing = timing;
    this.#token = token;
  }

  #address(fn: string): string {
    return functionAddress(this.gateway.url, fn);
  }

  runUrl(fn: string, runId: string): string {
    return `${this.#address(fn)}/runs/${encodeURIComponent(runId)}`;
  }

  /** Every app of the function's type. */
  async state(fn: string): Promise<StateView> {
    return this.#json(StateView, `ask ${fn}`, this.#address(fn));
  }

  /** What waits to be told to people, and which channel takes nothing. */
  async notifyState(): Promise<NotifyView> {
    return this.#json(NotifyView, "ask notify", this.#address("notify"));
  }

  /** What the page says first: "All is well: …". */
  async overall(): Promise<string> {
    const StatusView = z.object({ overall: z.object({ sentence: z.string() }) });
    return (await this.#json(StatusView, "ask status", this.#address("status"))).overall.sentence;
  }

  /**
   * Asks a function for something that is no run.
   * @param what For people: "send a message".
   */
  async ask<T>(schema: z.ZodType<T>, what: string, fn: string, request: object): Promise<T> {
    const headers = { "Content-Type": "application/json" };
    const init = { method: "POST", body: JSON.stringify(request), headers };
    return this.#json(schema, what, this.#address(fn), init);
  }

  /**
   * Starts a run, or joins the one that the same request started. Sent again, as the same call, when it is not known
   * whether it arrived.
   * @returns The run, which may have ended already, well or badly.
   * @throws {ProblemError} When nothing was started.
   */
  async start(fn: string, request: RunRequest): Promise<RunView> {
    const what = `start ${request.operation} with ${fn}`;
    const init = {
      method: "POST",
      body: JSON.stringify(request),
      headers: {
        "Content-Type": "application/json",
        Prefer: "respond-async",
        "Idempotency-Key": crypto.randomUUID(),
        "X-Keepsake-Client": `make on ${hostname().replace(/[^\x20-\x7e]/g, "?")}`,
      },
    };
    for (let tries = 1; ; tries++) {
      try {
        return await this.#json(RunView, what, this.#address(fn), init);
      } catch (error) {
        if (error instanceof ProblemError && error.problem.run) return error.problem.run;
        if (!mayPass(error) || tries > this.timing.backOffMs.length) throw error;
        await sleep(this.backOff(tries));
      }
    }
  }

  async run(fn: string, runId: string, signal?: AbortSignal): Promise<RunView> {
    try {
      return await this.#json(RunView, `follow ${runId}`, this.runUrl(fn, runId), { signal });
    } catch (error) {
      if (error instanceof ProblemError && error.problem.run) return error.problem.run;
      throw error;
    }
  }

  /** The run's lines from the one after `after` on, until the connection ends, for whatever reason. */
  async *events(fn: string, runId: string, after: string, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
    const silent = new AbortController();
    const idle = setTimeout(() => silent.abort(), this.timing.idleMs);
    try {
      const response = await this.#fetch(`follow ${runId}`, this.runUrl(fn, runId), {
        headers: { Accept: "text/event-stream", ...(after && { "Last-Event-ID": after }) },
        signal: AbortSignal.any([signal, silent.signal]),
      });
      if (response.body) yield* parseEvents(seen(response.body, () => idle.refresh()));
    } finally {
      clearTimeout(idle);
    }
  }

  /** Asks the run to stop; it ends a little later, with an outcome. */
  async cancel(fn: string, runId: string): Promise<void> {
    const response = await this.#fetch(`cancel ${runId}`, this.runUrl(fn, runId), { method: "DELETE" });
    await response.body?.cancel();
  }

  backOff(tries: number): number {
    const { backOffMs } = this.timing;
    return backOffMs[Math.min(tries, backOffMs.length) - 1] ?? 1000;
  }

  async #json<T>(schema: z.ZodType<T>, what: string, url: string, init: RequestInit = {}): Promise<T> {
    const limit = AbortSignal.timeout(this.timing.answerMs);
    const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
    const response = await this.#fetch(what, url, {
      ...init,
      signal,
      headers: { Accept: "application/json", ...init.headers },
    });
    const text = await response.text().catch((cause) => {
      throw this.#unreachable(cause);
    });
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw new CliError(exits.failed, `Cannot ${what}: the answer is not one that this client knows: ${excerpt(text)}`, {
      hint: "Is this the gateway that serves Keepsake, and of the same version as this clone?",
    });
  }

  /** @throws {ProblemError | HttpError | CliError} For every answer that is no 2xx, and when there is none. */
  async #fetch(what: string, url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#token !== undefined) headers.set("Authorization", `Bearer ${this.#token}`);
    // A redirected POST would arrive as a GET, so redirects are told and not followed.
    const response = await fetch(url, { ...init, headers, redirect: "manual" }).catch((cause) => {
      throw this.#unreachable(cause);
    });
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    const problem = Problem.safeParse(parseJson(text));
    if (problem.success) throw new ProblemError(problem.data);
    const location = response.headers.get("Location");
    throw new HttpError(what, response.status, location ? `go to ${location}` : excerpt(text));
  }

  #unreachable(error: Error): CliError {
    const { cause } = error;
    const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : error.message;
    return new CliError(exits.unreachable, `Cannot reach the gateway "${this.gateway.url}": ${why}`, {
      cause: error,
      hint: this.gateway.own ? "Start it in another terminal with: make up" : "Is GATEWAY right, and the gateway up?",
    });
  }
}

/** Whether the same call may get through in a moment: a gateway's own limit, or a connection that broke. */
function mayPass(error: unknown): boolean {
  if (error instanceof HttpError) return [429, 502, 503, 504].includes(error.status);
  if (!(error instanceof CliError) || error.exit !== exits.unreachable) return false;
  const cause = (error.cause as Error | undefined)?.cause as NodeJS.ErrnoException | undefined;
  return !["ECONNREFUSED", "ENOTFOUND"].includes(cause?.code ?? "");
}

async function* seen(body: AsyncIterable<Uint8Array>, onChunk: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onChunk();
    yield chunk;
  }
}

const excerpt = (text: string) => text.trim().replace(/\s+/g, " ").slice(0, 200);
