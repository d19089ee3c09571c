import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Hono } from "hono";
import type { AppConfig, Config } from "../config.ts";
import { Failure, failures } from "../failures.ts";
import type { Logger } from "../log.ts";
import { withDeadline } from "../nas/deadline.ts";
import { openNas } from "../nas/nas.ts";
import { laneOf, type Operation, type RunDescription, type RunRequest } from "../run/description.ts";
import type { PlaceView } from "../run/place.ts";
import type { RunView } from "../run/report.ts";
import type { Runs } from "../run/runs.ts";
import { runningOf, stateView } from "./app-view.ts";
import { hasToken, needsToken, requireToken } from "./authorize.ts";
import { followResponse } from "./follow.ts";
import { failureResponse, problemOf, problemResponse, wantsJson } from "./problem.ts";
import { callerOf, type FunctionKind, readRequest, runIdOf, waitOf } from "./request.ts";
import { childId, failureOf, findView } from "./run-view.ts";
import { runText, stateText } from "./text.ts";

export interface AppFunctionOptions {
  /** "backup-factorio" */
  name: string;
  kind: FunctionKind;
  type: string;
  config: Config;
  runs: Runs;
  place: PlaceView;
  log: Logger;
  now?: () => number;
  /** Aborted when nobody is to wait for an outcome any more: the function is about to end. */
  draining?: AbortSignal | undefined;
}

/** How often a run that was started elsewhere is looked at, in ms. */
const lookMs = 100;

/** A function of an app: decides, starts or joins runs, tells; it never touches data. */
export function appFunction(options: AppFunctionOptions) {
  const { name, kind, type, config, runs, place, log, now = Date.now, draining } = options;
  const apps = config.apps.filter((app) => app.type.type === type);
  const nas = openNas(config.nas);

  /** The runs that a request means: one for each of its apps. */
  const describeRuns = (request: RunRequest, id: string, by: Pick<RunDescription, "startedBy" | "authorised">) => {
    const chosen = chooseApps(request, apps, type);
    const single = chosen.length === 1;
    return chosen.map(
      (app): RunDescription => ({
        id: single ? id : childId(id, app.name),
        function: name,
        app: app.name,
        request: withTimeZone({ ...request, app: app.name }, config.timeZone),
        startedAt: new Date(now()).toISOString(),
        ...by,
      }),
    );
  };

  /** The run in progress that a run would get into the way of, whoever started it. */
  const inTheWayOf = async ({ app, request }: RunDescription): Promise<RunDescription | undefined> => {
    const lane = laneOf(request.operation);
    if (lane === "none") return undefined;
    await withDeadline("the marker", config.nasTimeoutMs, () => nas.check());
    const holder = await place.lockHolder(nas.app(app), lane);
    return holder && holder.state !== "gone" ? holder.run : runs.active(app, lane);
  };

  /** @returns The id of the run that carries out the request: its own, or the one in progress that is the same. */
  const startOrJoin = async (run: RunDescription): Promise<string> => {
    const running = await inTheWayOf(run);
    if (running) {
      if (isDeepStrictEqual(running.request, run.request) && (await runs.find(running.id))) return running.id;
      throw new Busy(running);
    }
    if (await runs.start(run)) log.info({ run: run.id, request: run.request, startedBy: run.startedBy }, "run started");
    return run.id;
  };

  /** Ends when nothing is in the way of a run any more, at the latest after `waitMs`. */
  const untilFree = async (run: RunDescription, waitMs: number): Promise<void> => {
    const signal = AbortSignal.timeout(waitMs);
    for (let running = await inTheWayOf(run); running; running = await inTheWayOf(run)) {
      if (signal.aborted || isDeepStrictEqual(running.request, run.request)) return;
      if (await runs.find(running.id)) for await (const _ of runs.follow(running.id, { signal }));
      // Also after it has told its end: its lock goes a moment later.
      await delay(Math.min(lookMs, waitMs));
    }
  };

  const post = async (request: Request): Promise<Response> => {
    const wanted = await readRequest(request, kind);
    if (needsToken(wanted)) await requireToken(request, config.secrets);
    const authorised = await hasToken(request, config.secrets);
    const id = runIdOf(name, request);
    const waitMs = waitOf(request);
    // A second delivery of one call is answered with the first one's run.
    if (await findView(id, apps, runs)) return answer(request, id, waitMs, true);
    const wantedRuns = describeRuns(wanted, id, { startedBy: callerOf(request), ...(authorised && { authorised }) });
    // The run whose event wakes a cleanup has not quite ended by then.
    if (kind === "cleanup" && waitMs > 0) await Promise.all(wantedRuns.map((run) => untilFree(run, waitMs)));
    const [first, ...rest] = wantedRuns;
    if (first && rest.length === 0) {
      const started = await startOrJoin(first);
      return answer(request, started, waitMs, started !== id);
    }
    const parent = await runningParent(wantedRuns);
    if (parent !== undefined) return answer(request, parent, waitMs, true);
    // One app that is busy does not keep the others from running; its child run ends as refused.
    for (const run of wantedRuns) await runs.start(run);
    return answer(request, id, waitMs, false);
  };

  /** The parent run in progress whose children are the same requests; undefined when there is none. */
  const runningParent = async (wanted: readonly RunDescription[]): Promise<string | undefined> => {
    for (const { app, request } of wanted) {
      const active = await runs.active(app, laneOf(request.operation));
      const suffix = childId("", app);
      if (active?.id.endsWith(suffix) && isDeepStrictEqual(active.request, request))
        return active.id.slice(0, -suffix.length);
    }
    return undefined;
  };

  const answer = async (request: Request, id: string, waitMs: number, joined: boolean): Promise<Response> => {
    const view = await untilEnded(id, waitMs);
    if (!view) throw new Failure("not_found", `Cannot find run "${id}" of ${name}`);
    const told = joined ? { ...view, joined: true } : view;
    const location = { location: `/function/${name}/runs/${id}`, "x-run-id": id };
    const failure = failureOf(view);
    if (failure) {
      const problem = problemOf(
        new Failure(failure.code, failure.message, failure.hint === undefined ? {} : { hint: failure.hint }),
        { run: told },
      );
      const response = problemResponse(request, problem);
      response.headers.set("x-run-id", id);
      return response;
    }
    const status = view.status === "running" ? 202 : 200;
    if (wantsJson(request)) return Response.json(told, { status, headers: location });
    return new Response(runText(told), {
      status,
      headers: { ...location, "content-type": "text/plain; charset=utf-8" },
    });
  };

  const untilEnded = async (id: string, waitMs: number): Promise<RunView | undefined> => {
    const view = await findView(id, apps, runs);
    if (view?.status !== "running" || waitMs === 0) return view;
    const timeout = AbortSignal.timeout(waitMs);
    const signal = draining ? AbortSignal.any([timeout, draining]) : timeout;
    for (const childOrSelf of view.runs?.map((child) => child.id) ?? [id]) {
      for await (const _ of runs.follow(childOrSelf, { signal }));
    }
    return findView(id, apps, runs);
  };

  const functionApp = new Hono();
  functionApp.onError((error, c) => {
    if (error instanceof Busy) return failureResponse(c.req.raw, error, { running: runningOf(error.running) });
    const problem = problemOf(error);
    if (failures[problem.code as keyof typeof failures].status >= 500)
      log.error({ err: error }, `${c.req.method} ${c.req.path} failed`);
    return problemResponse(c.req.raw, problem);
  });
  functionApp.notFound((c) =>
    failureResponse(
      c.req.raw,
      new Failure(
        "not_found",
        `Cannot ${c.req.method} "${c.req.path}": there is POST /, GET /, GET and DELETE /runs/<id>`,
      ),
    ),
  );

  functionApp.get("/_/health", (c) => c.text("OK\n"));
  functionApp.get("/_/ready", (c) => c.text("OK\n"));
  functionApp.post("/", (c) => post(c.req.raw));
  functionApp.get("/", async (c) => {
    const state = await stateView(name, type, apps, config, { runs, place, nowMs: now() });
    return wantsJson(c.req.raw) ? c.json(state) : c.text(stateText(state));
  });
  functionApp.get("/runs/:id", async (c) => {
    const id = c.req.param("id");
    const view = await findView(id, apps, runs);
    if (!view) throw new Failure("not_found", `Cannot find run "${id}" of ${name}`);
    if (/\btext\/event-stream\b/.test(c.req.header("accept") ?? "")) {
      return followResponse(view, runs, c.req.header("last-event-id"), () => findView(id, apps, runs));
    }
    return wantsJson(c.req.raw) ? c.json(view) : c.text(runText(view));
  });
  functionApp.delete("/runs/:id", async (c) => {
    await requireToken(c.req.raw, config.secrets);
    const id = c.req.param("id");
    const view = await findView(id, apps, runs);
    if (!view) throw new Failure("not_found", `Cannot find run "${id}" of ${name}`);
    for (const run of view.runs?.map((child) => child.id) ?? [id]) await runs.cancel(run);
    const after = (await findView(id, apps, runs)) ?? view;
    return wantsJson(c.req.raw) ? c.json(after, 202) : c.text(runText(after), 202);
  });
  return functionApp;
}

class Busy extends Failure {
  readonly running: RunDescription;
  constructor(running: RunDescription) {
    super(
      "app_busy",
      `Cannot start: ${running.request.operation} of "${running.app}" is running since ${running.startedAt}, started by ${running.startedBy} (run ${running.id})`,
      {
        hint: `Wait for it, or: make cancel-${running.app}`,
      },
    );
    this.running = running;
  }
}

/** What connectors ask for, who name no app. */
const forAll: ReadonlySet<Operation> = new Set(["backup", "flush", "cleanup"]);

/** The apps that a request means. When there are several, everything else has to name one. */
function chooseApps(request: RunRequest, apps: readonly AppConfig[], type: string): readonly AppConfig[] {
  const names = apps.map(({ name }) => name).join(", ");
  if (apps.length === 0)
    throw new Failure("not_found", `Cannot ${request.operation}: no app of type "${type}" is configured`);
  if (request.app === undefined) {
    if (forAll.has(request.operation) || apps.length === 1) return apps;
    throw new Failure("invalid_request", `Cannot ${request.operation}: "app" is wanted, one of ${names}`);
  }
  const chosen = apps.filter(({ name }) => name === request.app);
  if (chosen.length > 0) return chosen;
  throw new Failure(
    "invalid_request",
    `Cannot ${request.operation}: one of ${names} is wanted as "app", is "${request.app}"`,
  );
}

/** Local times mean the same wherever the run is carried out. */
function withTimeZone<R extends RunRequest>(request: R, timeZone: string): R {
  return "at" in request && request.timeZone === undefined ? { ...request, timeZone } : request;
}
