import { expect, test } from "vitest";
import { createLog } from "./log.ts";

test("createLog() never writes the value of a field that holds a secret, up to two levels deep", () => {
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

test("createLog() writes what an error is: its own fields, its stack, its causes; and whatever JSON has no word for", () => {
  const lines: string[] = [];
  const log = createLog("test", "warn", { write: (line) => void lines.push(line) });
  const cause = Object.assign(new Error("no room"), { code: "ENOSPC" });
  const at = new Date("2025-12-19T18:00:00Z");
  log.error({ err: new Error("a run failed", { cause }), sizeBytes: 3n, at, list: [1] });
  log.info("not wanted");
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    level: 50,
    err: { message: "a run failed", stack: expect.stringContaining("log.test.ts"), cause: { code: "ENOSPC" } },
    sizeBytes: "3",
    at: "2025-12-19T18:00:00.000Z",
    list: [1],
  });
});
