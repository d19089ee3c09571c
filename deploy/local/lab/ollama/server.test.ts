import { execFile } from "node:child_process";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../../../shared/testing.ts";
import { labModels, makeStore } from "./make-store.ts";

const script = join(import.meta.dirname, "server.ts");

test("server.ts start, status and stop do what a workload line needs, and its start prunes", async () => {
  const root = await tempFolder();
  const folder = join(root, "ollama");
  const call = (command: string) =>
    new Promise<number>((resolve) => {
      const args = [script, command, "--folder", folder, "--port", "0"];
      execFile(process.execPath, args, (error) => resolve(error ? Number(error.code) : 0));
    });
  onTestFinished(async () => void (await call("stop")));
  const models = await makeStore(folder, labModels(30_000));
  const junk = join(folder, "models/blobs/sha256-77");
  await writeFile(junk, "left by a crash");
  await utimes(junk, 1, 1);

  expect(await call("status")).toBe(1);
  expect(await call("start")).toBe(0);
  expect(await call("status")).toBe(0);
  expect(await call("start")).toBe(0);
  const { port } = JSON.parse(await readFile(join(root, "server/server.json"), "utf8"));
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const tags = (await (await ask("/api/tags")).json()) as { models: { name: string }[] };
  expect(tags.models.map(({ name }) => name).sort()).toEqual(models.map(({ name }) => name).sort());
  const load = (model: string) => ask("/api/generate", { method: "POST", body: JSON.stringify({ model }) });
  expect((await load("gpt-oss:20b")).status).toBe(200);
  expect((await load("nobody:7b")).status).toBe(404);
  expect(await readdir(join(folder, "models/blobs"))).not.toContain("sha256-77");

  expect(await call("stop")).toBe(0);
  expect(await call("status")).toBe(1);
  expect(await call("stop")).toBe(0);
});
