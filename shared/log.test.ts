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
