import { expect, test } from "vitest";
import { greeting, readableLogLine } from "./terminal.ts";

test("greeting() tells where, when and with what", () => {
  const text = greeting({
    url: "http://127.0.0.1:8080",
    configPath: "/lab/keepsake.yaml",
    tokenFile: "/lab/token",
    nats: "nats://127.0.0.1:4222",
    functions: [
      { name: "backup-a", topic: "cron-function" },
      { name: "restore-a" },
      { name: "backup-b", topic: "cron-function" },
      { name: "cleanup-c", topic: "c.done,d.done" },
    ],
    scheduled: [
      { name: "backup-a", schedule: "CRON_TZ=UTC @daily", nextMs: Date.UTC(2026, 10, 24, 23, 30) },
      { name: "backup-b", schedule: "0 0 30 2 *", nextMs: Number.POSITIVE_INFINITY },
    ],
    timeZone: "Europe/Berlin",
  });
  expect(text.split("\n")).toEqual([
    "Keepsake's gateway listens on http://127.0.0.1:8080",
    "  configuration  /lab/keepsake.yaml",
    '  token          /lab/token  (also the password of "admin" for faas-cli login)',
    "  NATS           nats://127.0.0.1:4222",
    "",
    "  backup-a   next Wed 25 Nov 00:30 CET  (CRON_TZ=UTC @daily)",
    "  restore-a  when called",
    "  backup-b   never: 0 0 30 2 *",
    "  cleanup-c  when called, and on c.done, d.done",
    "",
    "Ctrl-C ends it; a run in progress goes on.",
    "",
  ]);
});

test("readableLogLine() puts a line of the log into words", () => {
  const line = (fields: object) =>
    `${JSON.stringify({ time: 0, pid: 1, hostname: "h", name: "gateway", ...fields })}\n`;
  expect(readableLogLine(line({ level: 30, msg: "scheduled call", status: 200 }), "UTC")).toBe(
    "00:00:00 gateway: scheduled call status=200\n",
  );
  const failed = line({ level: 50, msg: "failed", err: { type: "Error", message: "why", stack: "…" } });
  expect(readableLogLine(failed, "Asia/Tokyo")).toBe("09:00:00 gateway: error: failed error=why\n");
  expect(readableLogLine("not JSON\n")).toBe("not JSON\n");
});
