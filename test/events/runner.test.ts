import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { Outcome } from "../../shared/run/report.ts";
import { tempFolder } from "../../shared/testing.ts";
import { layLab, places, play } from "../worlds/factorio.ts";
import { ownNats, storedIn } from "./testing.ts";

/* Runners as processes, and where they tell how they ended. */

let folder: string;
let count = 0;
beforeEach(async () => {
  folder = await tempFolder("memory");
  await layLab(folder);
  await play(folder, 1000);
});

async function backUp(env: Record<string, string> = {}): Promise<{ id: string; outcome: Outcome; log: string }> {
  count += 1;
  const id = `backup-factorio-${count}`;
  const run = join(folder, `${id}.json`);
  const request = { operation: "backup", app: "factorio", allow: [] };
  const startedAt = new Date().toISOString();
  await writeFile(
    run,
    JSON.stringify({ id, function: "backup-factorio", app: "factorio", request, startedBy: "a test", startedAt }),
  );
  const script = join(import.meta.dirname, "../../functions/run.ts");
  const child = spawn(process.execPath, [script, places(folder).config, run], { env: { ...process.env, ...env } });
  const [said, log] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { id, outcome: Outcome.parse(JSON.parse(said.trim().split("\n").at(-1) as string)), log };
}

async function configure(changes: Record<string, unknown>): Promise<void> {
  const { config } = places(folder);
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, "utf8")), ...changes }));
}

const waitingOnNas = () => readdir(join(places(folder).nas, ".keepsake/factorio/outbox"));

test("a run tells NATS how it ended: NATS_URL before the secret, the secret before the setting", async () => {
  const [user, password] = ["keepsake", "s3cret"];
  const [one, two] = [await ownNats(), await ownNats({ name: user, password })];
  const there = two.url.replace("//", `//${user}:${password}@`);
  await configure({ nats: one.url, secrets: "./secrets" });
  const first = await backUp();
  expect(first.outcome.outcome).toBe("created");
  await mkdir(join(folder, "secrets"), { recursive: true });
  await writeFile(join(folder, "secrets/nats-url"), `${there}\n`);
  const second = await backUp();
  const third = await backUp({ NATS_URL: one.url });
  expect(await storedIn(one.url)).toEqual([`${first.id}.outcome`, `${third.id}.outcome`]);
  expect(await storedIn(there)).toEqual([`${second.id}.outcome`]);
  expect(await waitingOnNas()).toEqual([]);
});

test("a run whose NATS is away, or refuses it, ends as it would have; the next one tells it, each once", async () => {
  const { url, folder: store, stop } = await ownNats();
  await stop();
  const first = await backUp({ NATS_URL: url });
  expect(first.outcome.outcome).toBe("created");
  expect(first.log).toContain("Cannot reach NATS");
  const strict = await ownNats({ name: "keepsake", password: "right" });
  const second = await backUp({ NATS_URL: strict.url.replace("//", "//keepsake:wr0ng@") });
  expect(second.outcome.outcome).toBe("unchanged");
  expect(second.log).toContain("it refuses user");
  expect(second.log).not.toContain("wr0ng");
  expect(await waitingOnNas()).toHaveLength(2);
  await startNatsServer({ folder: store });
  const third = await backUp({ NATS_URL: url });
  expect(await storedIn(url)).toEqual([first, second, third].map(({ id }) => `${id}.outcome`));
  await backUp({ NATS_URL: url });
  expect(await storedIn(url)).toHaveLength(4);
});

test("a run whose NATS hangs ends all the same", async () => {
  const { url, pid } = await ownNats();
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => void process.kill(pid, "SIGCONT"));
  const { outcome, log } = await backUp({ NATS_URL: url });
  expect(outcome.outcome).toBe("created");
  expect(log).toContain("Cannot reach NATS");
  expect(await waitingOnNas()).toEqual([`${outcome.runId}.outcome.json`]);
});

test("a run without its NAS tells NATS at once, and not again when the NAS is back", async () => {
  const { url } = await ownNats();
  await configure({ nas: "./nowhere" });
  const first = await backUp({ NATS_URL: url });
  expect(first.outcome.failure?.code).toMatch(/^nas_/);
  expect(await storedIn(url)).toEqual([`${first.id}.outcome`]);
  await configure({ nas: "./nas" });
  const second = await backUp({ NATS_URL: url });
  expect(await storedIn(url)).toEqual([`${first.id}.outcome`, `${second.id}.outcome`]);
  const told = await readdir(join(places(folder).nas, ".keepsake/factorio/runs"));
  expect(told.toSorted()).toEqual([`${first.id}.outcome.json`, `${second.id}.outcome.json`].toSorted());
});

test("a run without both says it in its last line, and the next one tells it", async () => {
  const { url, folder: store, stop } = await ownNats();
  await stop();
  await configure({ nas: "./nowhere" });
  const first = await backUp({ NATS_URL: url });
  expect(first.outcome.runId).toBe(first.id);
  await startNatsServer({ folder: store });
  await configure({ nas: "./nas" });
  const second = await backUp({ NATS_URL: url });
  expect(await storedIn(url)).toEqual([`${first.id}.outcome`, `${second.id}.outcome`]);
});
