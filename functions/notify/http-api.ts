import { Hono } from "hono";
import { z } from "zod";
import { Event } from "../../events/event.ts";
import { Failure, failures } from "../../shared/failures.ts";
import { requireToken } from "../../shared/http/authorize.ts";
import type { HandedInView, RetryView, TrialView } from "../../shared/http/notify-view.ts";
import { failureResponse, problemOf, problemResponse, wantsJson } from "../../shared/http/problem.ts";
import { readBody, waitOf } from "../../shared/http/request.ts";
import { parseJson } from "../../shared/json.ts";
import type { Logger } from "../../shared/log.ts";
import type { Message } from "./message.ts";
import type { Notifier, Trial } from "./notifier.ts";
import { notifyText, notifyView, setUpHint } from "./view.ts";
import { moment } from "./words.ts";

const bodyLimitBytes = 256 << 10;
/** How long whoever hands in an event waits until it is told, at most. */
const toldWithinMs = 20_000;

const Operation = z.strictObject({ operation: z.enum(["test", "retry-parked"]) });

export interface NotifyApiOptions {
  notifier: Notifier;
  secrets: string;
  timeZone: string;
  log: Logger;
  now: () => number;
}

/**
 * GET / → what waits, what was told, what refuses. POST / → a nudge, whatever the body: connectors send an event's, with
 * neither credentials nor a content type. With the token: `{"operation": "test"}`, `{"operation": "retry-parked"}`, or an
 * event, which is told also while NATS is away.
 */
export function notifyApi({ notifier, secrets, timeZone, log, now }: NotifyApiOptions): Hono {
  const answer = (request: Request, view: object, text: string, status = 200) =>
    wantsJson(request)
      ? Response.json(view, { status })
      : new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8" } });

  const test = async (request: Request): Promise<Response> => {
    const trials = await notifier.trial(trialMessage(moment(now(), timeZone)));
    const refused = trials.filter(({ told }) => told.outcome !== "taken");
    if (trials.length === 0)
      throw new Failure("message_refused", "Cannot send a message: no channel is set up", { hint: setUpHint });
    if (refused.length > 0) throw refusedTrial(trials, refused);
    return answer(request, trialView(trials), trials.map(trialLine).join("\n"));
  };

  const retryParked = async (request: Request): Promise<Response> => {
    const view: RetryView = { retried: await notifier.retryParked() };
    return answer(request, view, `${view.retried} of what was put aside will be told`);
  };

  const handIn = async (request: Request, event: Event): Promise<Response> => {
    const fate = await notifier.handIn(event, Math.min(waitOf(request), toldWithinMs));
    const view: HandedInView = { event: event.id, fate };
    return answer(request, view, `${event.id}: ${fate}`, fate === "waiting" ? 202 : 200);
  };

  const post = async (request: Request): Promise<Response> => {
    const isTrusted = request.headers.has("authorization");
    if (isTrusted) await requireToken(request, secrets);
    const text = await readBody(request, bodyLimitBytes).catch((error) => {
      if (isTrusted) throw error;
      return "";
    });
    const body = parseJson(text);
    const isOperation = isObject(body) && "operation" in body;
    if (isOperation && !isTrusted) await requireToken(request, secrets);
    if (!isTrusted || text.trim() === "") {
      notifier.nudge();
      return answer(request, { nudged: true }, "OK");
    }
    if (isOperation) {
      const parsed = Operation.safeParse(body);
      if (!parsed.success) throw unknown(parsed.error);
      return parsed.data.operation === "test" ? test(request) : retryParked(request);
    }
    const event = Event.safeParse(body);
    if (!event.success) throw unknown(event.error);
    return handIn(request, event.data);
  };

  const api = new Hono();
  api.onError((error, c) => {
    const problem = problemOf(error);
    if (failures[problem.code as keyof typeof failures].status === 500)
      log.error({ err: error }, `${c.req.method} ${c.req.path} failed`);
    return problemResponse(c.req.raw, problem);
  });
  api.notFound((c) =>
    failureResponse(
      c.req.raw,
      new Failure("not_found", `Cannot ${c.req.method} "${c.req.path}": there is POST / and GET /`),
    ),
  );
  api.get("/_/health", (c) => c.text("OK\n"));
  api.get("/_/ready", (c) => c.text("OK\n"));
  api.get("/", async (c) => {
    const view = await notifyView(notifier);
    return wantsJson(c.req.raw) ? c.json(view) : c.text(notifyText(view));
  });
  api.post("/", (c) => post(c.req.raw));
  return api;
}

const unknown = (error: z.ZodError) =>
  new Failure(
    "invalid_request",
    `Cannot accept the request: ${error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`).join("; ")}`,
    {
      hint: '{"operation": "test"}, {"operation": "retry-parked"} or an event is wanted; without a body it is a nudge',
    },
  );

const trialMessage = (at: string): Message => ({
  kind: "trial",
  urgency: "info",
  title: "Keepsake can reach you here",
  text: [[{ bold: "Keepsake can reach you here" }], [`A trial, asked for on ${at}. Nothing else has happened.`]],
});

const trialView = (trials: readonly Trial[]): TrialView => ({
  channels: trials.map(({ channel, told }) => ({
    name: channel,
    ...("messageId" in told && told.messageId !== undefined && { messageId: told.messageId }),
    notes: "notes" in told ? [...told.notes] : [],
  })),
});

function trialLine({ channel, told }: Trial): string {
  if (told.outcome !== "taken") return `${channel} has not taken it: ${told.why}`;
  const id = told.messageId === undefined ? "" : ` (message ${told.messageId})`;
  return [`${channel} took it${id}`, ...told.notes].join("\n  ");
}

function refusedTrial(trials: readonly Trial[], refused: readonly Trial[]): Failure {
  const hints = new Set(refused.flatMap(({ told }) => ("hint" in told && told.hint !== undefined ? [told.hint] : [])));
  return new Failure("message_refused", trials.map(trialLine).join("\n"), {
    ...(hints.size > 0 && { hint: [...hints].join("\n") }),
  });
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
