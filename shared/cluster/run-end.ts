import type { V1Job, V1Pod } from "@kubernetes/client-node";
import type { AppConfig } from "../config.ts";
import { Failure } from "../failures.ts";
import { parseJson } from "../json.ts";
import type { RunDescription } from "../run/description.ts";
import { outcomeOf } from "../run/outcome.ts";
import { Outcome } from "../run/report.ts";
import { howItEnded } from "./how-it-ended.ts";
import { annotations, runnerContainer } from "./names.ts";
import type { Hindrance } from "./why-not.ts";

/** The kubelet keeps so many bytes of a termination message. */
const messageBytes = 4096;

/** What a runner leaves as its container's termination message: its outcome, shortened until it fits. */
export function terminationMessage(outcome: Outcome): string {
  const { point, removed, scrub, drill, adoption, plan, mended, warnings, ...rest } = outcome;
  const cut = (text: string) => (text.length > 600 ? `${text.slice(0, 600)}…` : text);
  const short = { ...rest, message: cut(rest.message), warnings: [] };
  const failure = rest.failure && {
    ...rest.failure,
    message: cut(rest.failure.message),
    ...(rest.failure.hint !== undefined && { hint: cut(rest.failure.hint) }),
  };
  const tries: Outcome[] = [
    outcome,
    { ...outcome, warnings: warnings.slice(0, 3).map(cut), ...(removed && { removed: removed.slice(0, 20) }) },
    { ...short, ...(failure && { failure }), ...(point && { point }) },
    { ...short, ...(failure && { failure }) },
  ];
  const texts = tries.map((one) => JSON.stringify(one));
  return texts.find((text) => Buffer.byteLength(text) <= messageBytes) ?? "";
}

/** The outcome that the runner in a pod has left there; undefined while it runs, and when it was killed. */
export function leftInPod(pod: V1Pod | undefined): Outcome | undefined {
  const ended = pod?.status?.containerStatuses?.find(({ name }) => name === runnerContainer)?.state?.terminated;
  return Outcome.safeParse(parseJson(ended?.message ?? "")).data;
}

/** The outcome that was written on a Job whose runner never began. */
export const writtenOn = ({ metadata }: V1Job): Outcome | undefined =>
  Outcome.safeParse(parseJson(metadata?.annotations?.[annotations.outcome] ?? "")).data;

/** What is said of a run that is over and told nothing. */
export function endOfSilent(
  run: RunDescription,
  app: AppConfig | undefined,
  { job, pod, nowMs }: { job: V1Job | undefined; pod: V1Pod | undefined; nowMs: number },
): Outcome {
  const { operation } = run.request;
  const title = app?.type.title ?? run.app;
  const isCancelled = job?.metadata?.annotations?.[annotations.cancelled] !== undefined;
  const message = isCancelled
    ? `${title}: the ${operation} that ${run.startedBy} started was cancelled`
    : `${title}: the ${operation} that ${run.startedBy} started was killed before its end: ${howItEnded(job, pod)}`;
  const hint = isCancelled
    ? "Whatever it had begun, the next run puts in order."
    : "The next run puts in order what it left. Start it again if you still want it.";
  const failure = new Failure(isCancelled ? "cancelled" : "interrupted", message, { hint });
  return ended(run, app, failure, nowMs);
}

/** What is said of a run whose pod did not begin. */
export function endOfHindered(
  run: RunDescription,
  app: AppConfig | undefined,
  { why, hint }: Hindrance,
  nowMs: number,
): Outcome {
  const failure = new Failure("job_cannot_start", `Cannot start the ${run.request.operation} of "${run.app}": ${why}`, {
    hint,
  });
  return ended(run, app, failure, nowMs);
}

function ended(run: RunDescription, app: AppConfig | undefined, failure: Failure, nowMs: number): Outcome {
  const outcome = failure.code === "job_cannot_start" ? "failed" : (failure.code as "cancelled" | "interrupted");
  return outcomeOf(
    run,
    app,
    { outcome, message: failure.message, failure },
    { now: () => nowMs, warnings: [], mended: [] },
  );
}
