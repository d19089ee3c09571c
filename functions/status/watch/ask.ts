import { z } from "zod";
import { functionAddress } from "../../../shared/http/function-address.ts";
import { parseJson } from "../../../shared/json.ts";
import { Problem, RunView, StateView } from "../../../shared/run/report.ts";

/** What came of asking a function. */
export type Answer =
  | { readonly kind: "state"; readonly state: StateView }
  /** It answers, but the NAS does not. */
  | { readonly kind: "nas"; readonly why: string }
  /** It does not answer, or says what nobody understands. */
  | { readonly kind: "silent"; readonly why: string };

/** As much of what `notify` says as the watch needs; times are RFC 3339. */
export const NotifyAnswer = z.object({
  waiting: z.number().optional(),
  oldestWaitingAt: z.string().optional(),
  lastTold: z.object({ at: z.string() }).optional(),
  parked: z.array(z.unknown()).optional(),
  channels: z
    .array(z.object({ name: z.string(), refusing: z.object({ since: z.string(), why: z.string() }).optional() }))
    .optional(),
});
export type NotifyAnswer = z.infer<typeof NotifyAnswer>;

export interface Gateway {
  askState(functionName: string): Promise<Answer>;
  /** @returns undefined when it does not answer. */
  askNotify(): Promise<NotifyAnswer | { readonly silent: string }>;
  /** @returns undefined when it is not known there, or does not answer. */
  askRun(functionName: string, runId: string): Promise<RunView | undefined>;
  /** Starts a run. @returns The status; 0 when there was no answer. */
  start(functionName: string, body: object, token?: string): Promise<{ status: number; why: string }>;
  /** Hands an event to `notify`. @returns Whether it took it. */
  handIn(event: object, token: string): Promise<boolean>;
  /** The functions as the gateway has them, with their annotations; undefined when it does not tell. */
  functions(password: string | undefined): Promise<readonly { name: string; schedule?: string }[] | undefined>;
}

const FunctionList = z.array(z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).nullish() }));

/** Longer than a function takes to find that the NAS hangs. */
const deadlineMs = 20_000;
/** Starting a run looks at the NAS as well. */
const startDeadlineMs = 30_000;

/** The functions behind a gateway of OpenFaaS, or one that speaks like it. */
export function gatewayAt(url: string, send: typeof fetch = fetch): Gateway {
  const at = (name: string) => functionAddress(url, name);
  const call = async (address: string, init: RequestInit, ms = deadlineMs) => {
    const response = await send(address, { ...init, signal: AbortSignal.timeout(ms) });
    return { status: response.status, text: await response.text() };
  };
  const json = { accept: "application/json" };

  return {
    async askState(name) {
      try {
        const { status, text } = await call(at(name), { headers: json });
        const body = parseJson(text);
        const state = status === 200 ? StateView.safeParse(body) : undefined;
        if (state?.success) return { kind: "state", state: state.data };
        const problem = Problem.safeParse(body).data;
        if (problem?.code === "nas_unreachable" || problem?.code === "nas_not_marked")
          return { kind: "nas", why: problem.detail };
        return { kind: "silent", why: problem?.detail ?? `it answers with status ${status}` };
      } catch (error) {
        return { kind: "silent", why: whyOf(error) };
      }
    },

    async askNotify() {
      try {
        const { status, text } = await call(at("notify"), { headers: json });
        const view = NotifyAnswer.safeParse(parseJson(text));
        return status === 200 && view.success ? view.data : { silent: `it answers with status ${status}` };
      } catch (error) {
        return { silent: whyOf(error) };
      }
    },

    async askRun(name, runId) {
      const answer = await call(`${at(name)}/runs/${runId}`, { headers: json }).catch(() => undefined);
      return answer && RunView.safeParse(parseJson(answer.text)).data;
    },

    async start(name, body, token) {
      const headers = {
        ...json,
        prefer: "respond-async",
        "x-keepsake-client": "the watch",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      };
      try {
        const init = { method: "POST", headers, body: JSON.stringify(body) };
        const { status, text } = await call(at(name), init, startDeadlineMs);
        return { status, why: Problem.safeParse(parseJson(text)).data?.detail ?? `status ${status}` };
      } catch (error) {
        return { status: 0, why: whyOf(error) };
      }
    },

    async handIn(event, token) {
      const headers = { ...json, authorization: `Bearer ${token}`, "content-type": "application/cloudevents+json" };
      const init = { method: "POST", headers, body: JSON.stringify(event) };
      const answer = await call(at("notify"), init, startDeadlineMs).catch(() => undefined);
      return answer !== undefined && answer.status >= 200 && answer.status < 300;
    },

    async functions(password) {
      const auth = Buffer.from(`admin:${password ?? ""}`).toString("base64");
      const headers = { ...json, ...(password !== undefined && { authorization: `Basic ${auth}` }) };
      const answer = await call(`${url.replace(/\/+$/, "")}/system/functions`, { headers }).catch(() => undefined);
      if (answer?.status !== 200) return undefined;
      return FunctionList.safeParse(parseJson(answer.text)).data?.map(({ name, annotations }) => ({
        name,
        ...(annotations?.topic === "cron-function" &&
          annotations.schedule !== undefined && { schedule: annotations.schedule }),
      }));
    },
  };
}

function whyOf(error: unknown): string {
  const { name, cause, message } = error as Error & { cause?: { code?: string } };
  if (name === "TimeoutError") return `no answer within ${deadlineMs / 1000} s`;
  return cause?.code ?? message;
}
