import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AppView, Outcome, Problem, RunLine, RunView } from "../../../shared/run/report.ts";

/*
 * A gateway with functions that hold to the HTTP contract and do nothing: what they answer is what the test has put
 * there. Real sockets, so that connections can be cut.
 */

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
}

export interface FakeRun {
  readonly lines: readonly RunLine[];
  ended: RunView;
  /** Lines before the connection is cut; the next one gets the lines after them. */
  cutAfter?: number;
  /** The run ends when this does. */
  until?: Promise<unknown>;
}

type Answer = { status: number; body: unknown } | "hang up";

export class FunctionsServer {
  readonly received: Received[] = [];
  /** What `GET /function/<fn>` answers. */
  readonly states = new Map<string, Answer>();
  readonly runs = new Map<string, FakeRun>();
  /** What `POST /function/<fn>` answers, in turn; the last one for ever. */
  readonly starts = new Map<string, Answer[]>();
  onCancel: (runId: string) => void = () => {};
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  apps(fn: string, ...apps: AppView[]): void {
    this.states.set(fn, { status: 200, body: { function: fn, type: fn.replace(/^[a-z]+-/, ""), apps } });
  }

  /** `POST` starts this run, which `GET` then follows. */
  starts202(fn: string, run: FakeRun): void {
    this.runs.set(run.ended.id, run);
    this.answers(fn, { status: 202, body: running(run.ended) });
  }

  /** `POST` is answered with this next. */
  answers(fn: string, answer: Answer): void {
    this.starts.set(fn, [...(this.starts.get(fn) ?? []), answer]);
  }

  posts(fn: string): Received[] {
    return this.received.filter(({ method, path }) => method === "POST" && path === `/function/${fn}`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { method = "", url: path = "", headers } = request;
    this.received.push({ method, path, headers, body: text ? JSON.parse(text) : {} });
    const [, fn = "", runId] = /^\/function\/([^/]+)(?:\/runs\/(.+))?$/.exec(path) ?? [];
    if (runId !== undefined) return this.#answerRun(method, runId, request, response);
    const answers = this.starts.get(fn) ?? [];
    const answer = method === "GET" ? this.states.get(fn) : answers.length > 1 ? answers.shift() : answers[0];
    if (answer === "hang up") return void request.socket.destroy();
    send(response, answer?.status ?? 404, answer?.body ?? "no such function");
  }

  async #answerRun(method: string, id: string, { headers, socket }: IncomingMessage, response: ServerResponse) {
    const unauthorized = method === "DELETE" && headers.authorization !== "Bearer secret";
    if (unauthorized) return send(response, 401, problem(401, "unauthorized", "no token"));
    const run = this.runs.get(id);
    if (!run) return send(response, 404, problem(404, "not_found", `Cannot find run "${id}"`));
    if (method === "DELETE") {
      this.onCancel(id);
      return send(response, 202, running(run.ended));
    }
    if (headers.accept !== "text/event-stream") return send(response, 200, running(run.ended));
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const after = Number(String(headers["last-event-id"] ?? "").split("-")[1] ?? 0);
    for (const [i, line] of run.lines.entries()) {
      if (i < after) continue;
      if (run.cutAfter !== undefined && i - after >= run.cutAfter) return void socket.destroy();
      await new Promise((sent) =>
        response.write(`id: 0-${i + 1}\nevent: ${line.type}\ndata: ${JSON.stringify(line)}\n\n`, sent),
      );
    }
    await run.until;
    response.end(`event: end\ndata: ${JSON.stringify(run.ended)}\n\n`);
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const json = typeof body !== "string";
  const type = !json ? "text/plain" : status < 400 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "Content-Type": type }).end(json ? JSON.stringify(body) : body);
}

const running = ({ outcome: _, ...view }: RunView): RunView => ({ ...view, status: "running" });

export const problem = (status: number, code: string, detail: string, rest: Partial<Problem> = {}): Problem => ({
  type: `urn:keepsake:problem:${code}`,
  title: code,
  status,
  code,
  detail,
  retryable: false,
  ...rest,
});

export const appView = (app: string, title: string, rest: Partial<AppView> = {}): AppView => ({
  app,
  type: app,
  title,
  points: [],
  keep: 5,
  ...rest,
});

/** A run that ended so. */
export function endedRun(id: string, app: string, outcome: Partial<Outcome> & Pick<Outcome, "outcome">): RunView {
  const times = { startedAt: "2025-12-19T22:00:00Z", startedBy: "make on test" };
  const operation = outcome.operation ?? "backup";
  return {
    id,
    status: outcome.outcome,
    function: `backup-${app}`,
    app,
    operation,
    ...times,
    outcome: {
      type: "outcome",
      runId: id,
      function: `backup-${app}`,
      app,
      title: app,
      operation,
      ...times,
      finishedAt: "2025-12-19T22:00:01Z",
      durationMs: 420,
      message: `${app}: ${outcome.outcome}`,
      warnings: [],
      ...outcome,
    },
  };
}

export const progress = (doneBytes: number, totalBytes = 4_000_000, phase = "copying"): RunLine => ({
  type: "progress",
  at: new Date(Date.UTC(2025, 11, 19, 22) + doneBytes / 1000).toISOString(),
  phase,
  doneBytes,
  totalBytes,
});
