import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tempFolder } from "../../shared/testing.ts";
import { isForTests } from "./contents.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

test("assemble() makes a folder that runs without any package, with no test in it", async () => {
  const folder = join(await tempFolder(), "app");
  await run(process.execPath, [join(root, "deploy/image/assemble.ts"), folder]);
  const files = await readdir(folder, { recursive: true });
  expect(files.filter(isForTests)).toEqual([]);
  expect(files.filter((file) => /(^|\/)node_modules(\/|$)/.test(file))).toEqual([]);
  const started = run(process.execPath, [join(folder, "keepsake.cjs"), "run"], { cwd: folder, env: {} });
  await expect(started).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("Usage: ") });
});

test("the list of packages has a line each, with alternatives that Debian itself has", async () => {
  const lines = (await readFile(join(root, "deploy/image/packages"), "utf8")).split("\n").filter((line) => line !== "");
  for (const line of lines) expect(line).toMatch(/^#|^[a-z0-9.+-]+(?: \| [a-z0-9.+-]+)*$/);
});
