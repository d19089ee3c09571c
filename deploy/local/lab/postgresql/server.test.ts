import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { labConnection } from "./fill.ts";
import { type LabServer, removeLabServer, startLabServer, stopLabServer } from "./server.ts";

let root: string;
let server: LabServer;
const start = () => startLabServer({ folder: join(root, "server"), volatile: true });
const pidFile = () => join(server.folder, "data/postmaster.pid");
const pid = async () => Number.parseInt(await readFile(pidFile(), "utf8"), 10);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "keepsake-pg-"));
  server = await start();
}, 60_000);
afterAll(async () => {
  await removeLabServer(server);
  await rm(root, { recursive: true });
});

test("startLabServer() finds the server that runs", async () => {
  const before = await pid();
  expect(await start()).toEqual(server);
  expect(await pid()).toBe(before);
});

test.runIf(process.platform === "linux")(
  "startLabServer() starts one when another program has the pid of a server that lost its power",
  async () => {
    await stopLabServer(server);
    await writeFile(pidFile(), `${process.pid}\n`, { mode: 0o600 });
    await start();
    expect(await pid()).not.toBe(process.pid);
  },
);

test("startLabServer() makes a server anew when the folder it belonged to was deleted", async () => {
  const before = await readFile(server.passwordFile, "utf8");
  await rm(server.passwordFile);
  server = await start();
  expect(await readFile(server.passwordFile, "utf8")).not.toBe(before);
  const client = new pg.Client(await labConnection(server, "postgres"));
  await client.connect();
  await client.end();
});
