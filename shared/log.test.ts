import { expect, test } from "vitest";
import { createLog } from "./log.ts";

test("createLog() never writes the value of a field that holds a secret, however deep it stands", () => {
  const lines: string[] = [];
  const log = createLog("test", "info", { write: (line) => void lines.push(line) });
  const secrets = {
    password: "hunter2",
    token: "hunter2",
    secret: "hunter2",
    authorization: "Bearer hunter2",
    PGPASSWORD: "hunter2",
    rconPassword: "hunter2",
  };
  log.info({ ...secrets, settings: secrets, app: { settings: secrets }, host: "db" }, "connecting");
  log.child({ settings: secrets }).warn("again");
  expect(lines).toHaveLength(2);
  expect(lines.join("")).not.toContain("hunter2");
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    name: "test",
    msg: "connecting",
    host: "db",
    password: "[redacted]",
  });
});

test("createLog() writes one line of JSON a message, with its level, and errors with their causes", () => {
  const lines: string[] = [];
  const log = createLog("test", "info", { write: (line) => void lines.push(line) });
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED", address: { token: "hunter2" } });
  const circular: Record<string, unknown> = { size: 12n };
  circular.self = circular;
  log.error({ err: new Error("cannot\nconnect", { cause }), circular }, "a run failed");
  log.warn("only a message");
  log.info({ only: "fields" });
  expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
  const [error, warning, info] = lines.map((line) => JSON.parse(line));
  expect(error).toMatchObject({
    level: 50,
    pid: process.pid,
    msg: "a run failed",
    err: { type: "Error", message: "cannot\nconnect", cause: { message: "refused", code: "ECONNREFUSED" } },
    circular: { size: "12" },
  });
  expect(error.err.stack).toContain("log.test.ts");
  expect(lines[0]).not.toContain("hunter2");
  expect(warning).toMatchObject({ level: 40, msg: "only a message" });
  expect(Date.now() - warning.time).toBeLessThan(60_000);
  expect(info).toMatchObject({ level: 30, only: "fields" });
  expect(info).not.toHaveProperty("msg");
});

test("createLog() says nothing below its level", () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const silent = createLog("test", "silent", destination);
  silent.error("nothing");
  silent.child({ run: "1" }).warn("nothing");
  createLog("test", "warn", destination).info("nothing");
  expect(lines).toEqual([]);
});
