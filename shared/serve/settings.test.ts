import { expect, test } from "vitest";
import { parseDuration, readServeSettings } from "./settings.ts";

test("readServeSettings() takes of-watchdog's variables, and leaves port and lock file to a watchdog in front", () => {
  expect(readServeSettings({})).toMatchObject({ port: 8080, host: "0.0.0.0", lockFile: "/tmp/.lock" });
  const environment = { port: "8080", upstream_port: "8082", exec_timeout: "1m30s", max_inflight: "4", PORT: "9" };
  const behind = readServeSettings(environment);
  expect(behind).toMatchObject({ port: 8082, execTimeoutMs: 90_000, maxInflight: 4 });
  expect(behind).not.toHaveProperty("lockFile");
  expect(readServeSettings({ port: "8000", TMPDIR: "/run" })).toMatchObject({ port: 8000, lockFile: "/run/.lock" });
  expect(readServeSettings({ PORT: "9000", exec_timeout: "" })).toMatchObject({ port: 9000, execTimeoutMs: 60_000 });
});

test("readServeSettings() names everything that cannot be used at once", () => {
  const environment = { upstream_port: "80800", read_timeout: "soon", max_inflight: "-1" };
  expect(() => readServeSettings(environment)).toThrow(/upstream_port: .*read_timeout: .*"soon".*max_inflight: /);
});

test("parseDuration() reads Go's durations and seconds", () => {
  const durations = {
    "30s": 30_000,
    "1m30s": 90_000,
    "250ms": 250,
    "1.5s": 1500,
    "2h": 7_200_000,
    "45": 45_000,
    "0": 0,
  };
  for (const [text, ms] of Object.entries(durations)) expect([text, parseDuration(text)]).toEqual([text, ms]);
  for (const text of ["", "s", "30 s", "-1s", "1d"]) expect([text, parseDuration(text)]).toEqual([text, undefined]);
});
