import { createHash } from "node:crypto";
import { z } from "zod";
import { Failure } from "../failures.ts";
import { parseJson } from "../json.ts";
import { problemOf, problemResponse } from "./problem.ts";
import { bodyLimitBytes, readBody } from "./request.ts";

/*
 * CloudEvents' HTTP binding (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md),
 * as Knative's sources, brokers and triggers speak it.
 */

/** What Knative's PingSource tells at its times; its data is the body of the call that it stands for. */
const timerType = "dev.knative.sources.ping";

const Attributes = z.looseObject({ specversion: z.literal("1.0"), id: z.string().min(1), source: z.string().min(1), type: z.string().min(1) }); // biome-ignore format: one line reads better

type Fetch = (request: Request) => Promise<Response>;

/**
 * Lets a function be called by events, in binary and in structured mode. A timer's stands for a call with its data as
 * the body; any other wakes the function to do what it is for, whatever it tells, as a connector's does. Its source and
 * id stand for the call's id: a second delivery finds the first one's run. What went well is answered without a body,
 * since a broker takes one for an event. Whoever sends the token is no event source, and is not meant.
 */
export function takingEvents(fetch: Fetch): Fetch {
  return async (request) => {
    if (request.method !== "POST" || !isEvent(request) || request.headers.has("authorization")) return fetch(request);
    const call = await callOf(request).catch((error: unknown) => problemResponse(request, problemOf(error)));
    if (call instanceof Response) return call;
    const answer = await fetch(call);
    if (!answer.ok) return answer;
    await answer.body?.cancel();
    const runId = answer.headers.get("x-run-id");
    return new Response(null, { status: 202, headers: runId === null ? {} : { "x-run-id": runId } });
  };
}

const typeOf = (request: Request) => (request.headers.get("content-type") ?? "").trim().toLowerCase();
const isEvent = (request: Request) =>
  request.headers.has("ce-specversion") || typeOf(request).startsWith("application/cloudevents");

/** @throws {Failure} `invalid_request` for a batch, or what lacks an attribute. */
async function callOf(request: Request): Promise<Request> {
  const text = await readBody(request, bodyLimitBytes);
  const { event, data } = request.headers.has("ce-specversion") ? binary(request, text) : structured(request, text);
  const parsed = Attributes.safeParse(event);
  if (!parsed.success) {
    const lacking = parsed.error.issues.map(({ path }) => path.join(".")).join(", ");
    throw new Failure("invalid_request", `Cannot take the event: CloudEvents 1.0 is wanted (${lacking})`);
  }
  const { source, id, type } = parsed.data;
  const headers = new Headers({
    "idempotency-key": createHash("sha256").update(`${source}\n${id}`).digest("hex"),
    "x-connector": type === timerType ? "cron-connector" : "cloudevents",
    "x-topic": type.replaceAll(/[^\w.-]/g, ""),
  });
  const accept = request.headers.get("accept");
  if (accept !== null) headers.set("accept", accept);
  return new Request(request.url, { method: "POST", headers, body: type === timerType ? data : "" });
}

/** The attributes are headers, the body is the data. */
function binary({ headers }: Request, data: string) {
  const attribute = (name: string) => decode(headers.get(`ce-${name}`) ?? "");
  const names = ["specversion", "id", "source", "type"] as const;
  return { event: Object.fromEntries(names.map((name) => [name, attribute(name)])), data };
}

/** Percent-encoded where it is not plain ASCII. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The body is the event as JSON. */
function structured(request: Request, text: string): { event: unknown; data: string } {
  if (!/^application\/cloudevents\+json\s*(;|$)/.test(typeOf(request)))
    throw new Failure("invalid_request", "Cannot take the event: one event, as JSON, is wanted");
  const event: unknown = parseJson(text);
  if (typeof event !== "object" || event === null) return { event, data: "" };
  if ("data_base64" in event) return { event, data: Buffer.from(String(event.data_base64), "base64").toString("utf8") };
  return { event, data: "data" in event ? JSON.stringify(event.data) : "" };
}
