import { pino } from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { type CronOptions, startCron } from "./cron.ts";
import { createDeployments, type Deployments } from "./deployments.ts";

const start = Date.UTC(2026, 2, 1, 5, 59, 30);
const minuteMs = 60_000;
beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

const scheduled = (service: string, schedule: string, topic = "cron-function") => ({
  service,
  image: "i",
  annotations: { topic, schedule },
});

/** A connector over these functions; `calls` has when each was called, and how. */
function cronOf(deployments: Deployments, options: Partial<CronOptions> = {}) {
  const calls: { at: string; url: string; init: RequestInit }[] = [];
  const lines: { level: number; [field: string]: unknown }[] = [];
  const send = vi.fn(async (url: string | URL | Request, init?: RequestInit) => {
    calls.push({ at: new Date().toISOString().slice(11, 19), url: String(url), init: init ?? {} });
    return new Response("{}");
  });
  const cron = startCron({
    gatewayUrl: "http://gw",
    functions: deployments.list,
    log: pino({}, { write: (line) => lines.push(JSON.parse(line)) }),
    send,
    ...options,
  });
  onTestFinished(cron.stop);
  return { cron, calls, lines, send, times: () => calls.map(({ at, url }) => `${at} ${url.split("/").at(-1)}`) };
}

const deploy = (...stack: ReturnType<typeof scheduled>[]) => createDeployments(stack, Date.now);

test("startCron() calls functions at their times as cron-connector does", async () => {
  const { calls, times } = cronOf(
    deploy(
      scheduled("a", "CRON_TZ=UTC 0 */6 * * *"),
      scheduled("b", "CRON_TZ=UTC 15 6 * * *"),
      scheduled("c", "* * * * *", "mapshot.rendered"),
    ),
  );
  await vi.advanceTimersByTimeAsync(29_999);
  expect(calls).toEqual([]);
  await vi.advanceTimersByTimeAsync(16 * minuteMs);
  expect(times()).toEqual(["06:00:00 a.openfaas-fn", "06:15:00 b.openfaas-fn"]);
  expect(calls[0]).toMatchObject({
    url: "http://gw/function/a.openfaas-fn",
    init: { method: "POST", headers: { "X-Topic": "cron-function", "X-Connector": "cron-connector" } },
  });
  expect(calls[0]?.init.body).toBeUndefined();
  await vi.advanceTimersByTimeAsync(6 * 60 * minuteMs);
  expect(times().slice(2)).toEqual(["12:00:00 a.openfaas-fn"]);
});

test("startCron() notices new, changed and removed schedules within the rebuild interval", async () => {
  const deployments = deploy(scheduled("a", "@every 1m"));
  const { cron, times } = cronOf(deployments);
  await vi.advanceTimersByTimeAsync(minuteMs);
  deployments.set(scheduled("a", "@every 10m"));
  deployments.set(scheduled("b", "CRON_TZ=UTC 5 6 * * *"));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(cron.list()).toEqual([
    { name: "a", schedule: "@every 10m", nextMs: start + 11 * minuteMs + 10_000 },
    { name: "b", schedule: "CRON_TZ=UTC 5 6 * * *", nextMs: Date.UTC(2026, 2, 1, 6, 5) },
  ]);
  await vi.advanceTimersByTimeAsync(10 * minuteMs);
  deployments.remove("a");
  await vi.advanceTimersByTimeAsync(60 * minuteMs);
  expect(times()).toEqual(["06:00:30 a.openfaas-fn", "06:05:00 b.openfaas-fn", "06:10:40 a.openfaas-fn"]);
});

test("startCron() does not call a function whose schedule was taken away in the same moment", async () => {
  const deployments = deploy(scheduled("a", "@every 30s"));
  const { calls } = cronOf(deployments);
  await vi.advanceTimersByTimeAsync(29_000);
  deployments.set(scheduled("a", "@every 1h"));
  await vi.advanceTimersByTimeAsync(minuteMs);
  expect(calls).toEqual([]);
});

test("startCron() logs failures, retries nothing and goes on", async () => {
  const answers = [Promise.reject(new Error("refused")), new Response("busy", { status: 409 }), new Response("ok")];
  answers.forEach((answer) => void Promise.resolve(answer).catch(() => {}));
  const send = vi.fn(async () => answers.shift() as Response | Promise<Response>);
  const { lines } = cronOf(deploy(scheduled("a", "@every 1m")), { send });
  await vi.advanceTimersByTimeAsync(3 * minuteMs);
  expect(send).toHaveBeenCalledTimes(3);
  expect(lines).toMatchObject([
    { level: 40, function: "a", problem: "refused" },
    { level: 40, function: "a", status: 409 },
    { level: 30, function: "a", status: 200 },
  ]);
});

test("startCron() does not wait for a call that goes on", async () => {
  const send = vi.fn(() => new Promise<Response>(() => {}));
  cronOf(deploy(scheduled("a", "@every 1m")), { send });
  await vi.advanceTimersByTimeAsync(3 * minuteMs);
  expect(send).toHaveBeenCalledTimes(3);
});

test("startCron() tells once that a schedule cannot be read, and takes it when it is mended", async () => {
  const deployments = deploy(scheduled("a", "0 0 * * 7"), scheduled("b", "@every 1m"));
  const { lines, times } = cronOf(deployments);
  await vi.advanceTimersByTimeAsync(minuteMs);
  expect(lines.filter(({ level }) => level === 40)).toMatchObject([
    { function: "a", problem: expect.stringContaining('Cannot read the schedule "0 0 * * 7"') },
  ]);
  deployments.set(scheduled("a", "CRON_TZ=UTC 1 6 * * *"));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(times()).toEqual(["06:00:30 b.openfaas-fn", "06:01:00 a.openfaas-fn"]);
});

test("startCron() calls once after a week asleep, and then at the usual times", async () => {
  const { times } = cronOf(deploy(scheduled("a", "CRON_TZ=UTC 0 */6 * * *")));
  vi.setSystemTime(start + 7 * 24 * 60 * minuteMs + 5 * minuteMs);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(times()).toEqual(["06:04:40 a.openfaas-fn"]);
  await vi.advanceTimersByTimeAsync(6 * 60 * minuteMs);
  expect(times().slice(1)).toEqual(["12:00:00 a.openfaas-fn"]);
});

test("startCron() goes by the new time when the clock is set back", async () => {
  const { times } = cronOf(deploy(scheduled("a", "CRON_TZ=UTC 0 */6 * * *")));
  vi.setSystemTime(start - 6 * 60 * minuteMs);
  await vi.advanceTimersByTimeAsync(minuteMs);
  expect(times()).toEqual(["00:00:00 a.openfaas-fn"]);
});

test("startCron() never calls what never comes, and stops", async () => {
  const { cron, calls } = cronOf(deploy(scheduled("a", "0 0 30 2 *"), scheduled("b", "@every 1m")));
  cron.stop();
  await vi.advanceTimersByTimeAsync(60 * minuteMs);
  expect(calls).toEqual([]);
  expect(cron.list()[0]?.nextMs).toBe(Infinity);
});
