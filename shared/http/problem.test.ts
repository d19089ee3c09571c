import { expect, test } from "vitest";
import { Failure, type FailureCode, failures } from "../failures.ts";
import { Problem } from "../run/report.ts";
import { failureResponse, problemOf, wantsJson } from "./problem.ts";

const asking = (accept?: string) =>
  new Request("http://127.0.0.1/", accept === undefined ? {} : { headers: { accept } });
const codes = Object.keys(failures) as FailureCode[];

test("problemOf() gives every failure its status and code in a problem document (RFC 9457)", async () => {
  for (const code of codes) {
    const failure = new Failure(code, "Cannot do it: this is wanted, is that", { hint: "Try this." });
    const response = failureResponse(asking("application/json"), failure);
    expect([code, response.status]).toEqual([code, failures[code].status]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = Problem.parse(await response.json());
    expect(problem).toMatchObject({
      type: `urn:keepsake:problem:${code}`,
      code,
      status: response.status,
      hint: "Try this.",
    });
    expect(problem.retryable).toBe(failures[code].retryable);
    if (code !== "internal") expect(problem.detail).toBe(failure.message);
    // So that `curl -f`, make and faas-cli fail too.
    expect(response.ok).toBe(false);
  }
});

test("problemOf() tells nothing of what nobody foresaw: its text may hold anything (raw exceptions told secrets elsewhere)", async () => {
  for (const error of [new Error("connect postgres://admin:hunter2@db"), "hunter2", { password: "hunter2" }]) {
    expect(JSON.stringify(problemOf(error))).not.toContain("hunter2");
    expect(await failureResponse(asking(), error).text()).not.toContain("hunter2");
  }
});

test("failureResponse() gives readable lines to who does not ask for JSON", async () => {
  const response = failureResponse(asking(), new Failure("no_space", "Cannot write: no room", { hint: "Make room." }));
  expect(response.status).toBe(507);
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(await response.text()).toBe("Cannot write: no room\nMake room.\n");
});

test("failureResponse() says when to try again, and how to authorise", () => {
  const headers = (code: FailureCode) => failureResponse(asking(), new Failure(code, "x")).headers;
  expect(headers("nas_unreachable").get("retry-after")).toBe("30");
  expect(headers("nas_not_marked").get("retry-after")).toBeNull();
  expect(headers("unauthorized").get("www-authenticate")).toMatch(/^Bearer /);
  expect(headers("not_found").get("www-authenticate")).toBeNull();
});

test("wantsJson() knows who asks for JSON", () => {
  for (const accept of [
    "application/json",
    "application/problem+json",
    "text/html, application/json;q=0.9",
    "application/json; charset=utf-8",
  ])
    expect(wantsJson(asking(accept)), accept).toBe(true);
  for (const accept of [
    undefined,
    "*/*",
    "text/plain",
    "text/html,application/xhtml+xml",
    "application/jsonp",
    "text/event-stream",
  ])
    expect(wantsJson(asking(accept)), accept).toBe(false);
});
