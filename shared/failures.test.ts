import { expect, test } from "vitest";
import { Failure, failures, toFailure } from "./failures.ts";

test("toFailure() keeps a failure, also one that an abort carries as its reason", () => {
  const failure = new Failure("no_space", "x", { hint: "y" });
  expect(toFailure(failure)).toBe(failure);
  const stop = new AbortController();
  stop.abort(failure);
  expect(toFailure(stop.signal.reason)).toBe(failure);
  expect(toFailure(Object.assign(new Error("aborted", { cause: failure }), { name: "AbortError" }))).toBe(failure);
});

test("toFailure() tells a cancelled run, a full disk and a full quota from what nobody foresaw", () => {
  const error = (code: string) => Object.assign(new Error(code), { code });
  expect(toFailure(new DOMException("aborted", "AbortError")).code).toBe("cancelled");
  expect(toFailure(error("ENOSPC")).code).toBe("no_space");
  expect(toFailure(error("EDQUOT")).code).toBe("no_space");
  expect(toFailure(error("EACCES"))).toMatchObject({ code: "internal", cause: { code: "EACCES" } });
  expect(toFailure("text")).toMatchObject({ code: "internal", message: "text" });
  expect(toFailure(undefined).code).toBe("internal");
});

test("failures gives no failure the status of a success", () => {
  for (const [code, { status }] of Object.entries(failures)) expect(status >= 400 && status < 600, code).toBe(true);
});
