import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let nas: string;
beforeEach(async () => {
  nas = await mkdtemp(join(tmpdir(), "keepsake nas-"));
});
afterEach(() => rm(nas, { recursive: true }));

function initNas(args: string[], env: Record<string, string> = {}): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, "init-nas.ts"), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), text: stdout + stderr }),
    );
  });
}

test("init-nas shows the path and makes the marker, once", async () => {
  const first = await initNas([], { NAS: nas });
  expect(first.text).toContain(`Marking "${nas}" as the NAS\nMade ${nas}/.keepsake/export.json`);
  const marker = await readFile(join(nas, ".keepsake/export.json"), "utf8");
  const second = await initNas([nas]);
  expect(second).toMatchObject({ code: 0, text: expect.stringContaining("stays as it is") });
  expect(await readFile(join(nas, ".keepsake/export.json"), "utf8")).toBe(marker);
});

test("init-nas makes no folder where none is mounted", async () => {
  const { code, text } = await initNas([join(nas, "not-there")]);
  expect(text).toContain("a folder is wanted, there is none");
  expect(code).toBe(1);
});

test("init-nas without a path says how to name one", async () => {
  expect(await initNas([], { NAS: "" })).toMatchObject({
    code: 2,
    text: expect.stringContaining("make init-nas NAS="),
  });
});
