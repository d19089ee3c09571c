import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findServerBin } from "./server-bin.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "keepsake-bin-"));
});
afterEach(() => rm(root, { recursive: true }));

async function install(folder: string, programs = ["initdb", "pg_ctl"]): Promise<string> {
  const bin = join(root, folder);
  await mkdir(bin, { recursive: true });
  for (const name of programs) {
    await writeFile(join(bin, name), "#!/bin/sh\n");
    await chmod(join(bin, name), 0o755);
  }
  return bin;
}

test("findServerBin() takes the newest server, by number, that has its programs", async () => {
  await install("usr/lib/postgresql/9/bin");
  const wanted = await install("usr/lib/postgresql/15/bin");
  await install("usr/lib/postgresql/17/bin", ["pg_dump"]);
  expect(await findServerBin(root, "")).toBe(wanted);
});

test.each(["opt/homebrew/opt/postgresql@17/bin", "usr/local/opt/postgresql/bin", "usr/pgsql-16/bin"])(
  "findServerBin() finds %s",
  async (folder) => {
    const bin = await install(folder);
    expect(await findServerBin(root, "")).toBe(bin);
  },
);

test("findServerBin() looks into the PATH last, and says what is wanted when there is none", async () => {
  await expect(findServerBin(root, "")).rejects.toThrow("initdb and pg_ctl are wanted");
  const bin = await install("anywhere");
  expect(await findServerBin(root, `/nowhere:${bin}`)).toBe(bin);
});
