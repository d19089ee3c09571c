import { Failure, failures, toFailure } from "../failures.ts";
import type { Problem } from "../run/report.ts";

/** A failure as a problem document (RFC 9457). */
export function problemOf(error: unknown, extra: Pick<Problem, "running" | "run"> = {}): Problem {
  const failure = toFailure(error);
  const { status, retryable } = failures[failure.code];
  return {
    type: `urn:keepsake:problem:${failure.code}`,
    title: failure.code.replaceAll("_", " "),
    status,
    code: failure.code,
    // What nobody foresaw is in the log; its text may hold anything.
    detail:
      failure.code === "internal"
        ? "Something unforeseen went wrong; the log of the function says what"
        : failure.message,
    ...(failure.hint !== undefined && { hint: failure.hint }),
    retryable,
    ...extra,
  };
}

/** JSON for who asks for JSON, readable lines for everybody else. */
export function wantsJson(request: Request): boolean {
  return /\bapplication\/(?:[a-z.+-]*\+)?json\b/.test(request.headers.get("accept") ?? "");
}

export function problemResponse(request: Request, problem: Problem): Response {
  const headers: Record<string, string> = problem.retryable && problem.status === 503 ? { "retry-after": "30" } : {};
  if (problem.status === 401) headers["www-authenticate"] = 'Bearer realm="keepsake"';
  if (wantsJson(request)) {
    return new Response(JSON.stringify(problem), {
      status: problem.status,
      headers: { ...headers, "content-type": "application/problem+json" },
    });
  }
  const lines = [
    problem.detail,
    ...(problem.hint ? [problem.hint] : []),
    ...(problem.run ? [`Run ${problem.run.id}`] : []),
  ];
  return new Response(`${lines.join("\n")}\n`, {
    status: problem.status,
    headers: { ...headers, "content-type": "text/plain; charset=utf-8" },
  });
}

export const failureResponse = (request: Request, error: unknown, extra?: Pick<Problem, "running" | "run">) =>
  problemResponse(request, problemOf(error instanceof Failure ? error : toFailure(error), extra));
