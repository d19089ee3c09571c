import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../../../shared/testing.ts";
import { databaseRows } from "./content.ts";
import { makeDatabase, makeInstall } from "./make-database.ts";
import { revisions } from "./schema.ts";
import { WebuiServer } from "./webui-server.ts";

const script = join(import.meta.dirname, "server.ts");

async function lab(...more: string[]) {
  const data = join(await tempFolder(), "data");
  await mkdir(data);
  const call = (command: string, ...args: string[]) =>
    new Promise<{ code: number; stderr: string }>((resolve) => {
      const all = [script, command, "--data", data, ...more, ...args];
      execFile(process.execPath, all, (error, _, stderr) => resolve({ code: error ? Number(error.code) : 0, stderr }));
    });
  onTestFinished(async () => void (await call("stop")));
  const chats = () => Number.parseInt(databaseRows(join(data, "webui.db")).get("rows chat") ?? "", 10);
  return { data, call, chats };
}

test("server.ts start, status and stop do what a workload line needs, and write the chats that were asked for", async () => {
  const { data, call, chats } = await lab("--chats", "5", "--every-ms", "1");
  await makeInstall(data, { chats: 10 });
  expect((await call("status")).code).toBe(1);
  expect((await call("start")).code).toBe(0);
  expect((await call("status")).code).toBe(0);
  await expect.poll(chats).toBe(15);
  expect((await call("stop")).code).toBe(0);
  expect((await call("status")).code).toBe(1);
  expect((await call("stop")).code).toBe(0);
  expect((await readdir(data)).sort()).toEqual(["cache", "uploads", "vector_db", "webui.db"]);
});

test("server.ts writes until it is told to rest", async () => {
  const { data, call, chats } = await lab("--until", "rest");
  makeDatabase(join(data, "webui.db"), { chats: 1 });
  const rest = join(data, "rest");
  expect((await call("start", "--until", rest)).code).toBe(0);
  await expect.poll(chats).toBeGreaterThan(3);
  await writeFile(rest, "");
  await expect.poll(() => readFile(join(data, "../server/server.log"), "utf8")).toContain("Rests");
  const rested = chats();
  expect((await call("stop")).code).toBe(0);
  expect(chats()).toBe(rested);
});

test("server.ts crash leaves a hot journal, which the next start rolls back", async () => {
  const { data, call, chats } = await lab();
  makeDatabase(join(data, "webui.db"), { chats: 20 });
  await call("crash");
  expect((await stat(join(data, "webui.db-journal"))).size).toBeGreaterThan(512);
  WebuiServer.start(data).close();
  expect(chats()).toBe(20);
  expect(await readdir(data)).toEqual(["webui.db"]);
});

test("WebuiServer makes a fresh database, migrates an older one, and does not start over a newer one", async () => {
  const { data } = await lab();
  const path = join(data, "webui.db");
  WebuiServer.start(data).close();
  expect(databaseRows(path).get("rows user")).toMatch(/^0 rows/);
  WebuiServer.start(data).close();
  expect(() => WebuiServer.start(data, { head: revisions[1] })).toThrow(
    `Can't locate revision identified by '${revisions.at(-1)}'`,
  );
});

test("makeDatabase() makes the same rows for the same seed, and others for another", async () => {
  const { data } = await lab();
  const made = (name: string, seed: string) => {
    makeDatabase(join(data, name), { seed, chats: 5 });
    return databaseRows(join(data, name));
  };
  const first = made("a", "one");
  expect(made("b", "one")).toEqual(first);
  expect(made("c", "two")).not.toEqual(first);
  expect(first.size).toBeGreaterThan(25);
});
