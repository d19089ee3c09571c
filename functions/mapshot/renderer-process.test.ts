import { spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { identify, stateOf } from "../../shared/run/process-identity.ts";
import { tempFolder } from "../../shared/testing.ts";
import { endLeftRenderer, forgetRenderer, rememberRenderer } from "./renderer-process.ts";
import { restore } from "./restore.ts";
import { testContext } from "./testing.ts";

async function lab() {
  const renders = join(await tempFolder(), "latest");
  await mkdir(join(renders, ".keepsake"), { recursive: true });
  const renderer = spawn("sleep", ["100"], { detached: true, stdio: "ignore" });
  onTestFinished(() => void renderer.kill("SIGKILL"));
  const pid = renderer.pid as number;
  return { renders, pid, process: await identify(pid), ...testContext({ renders }) };
}

test("endLeftRenderer() ends the renderer that a killed run has left, and says so, once", async () => {
  const { ctx, pid, process, renders, warnings } = await lab();
  await rememberRenderer(ctx, pid);
  // Any later run, of whatever kind, begins with this.
  await restore.target(ctx).recover(async () => {});
  expect(await stateOf(process)).toBe("gone");
  await endLeftRenderer(ctx);
  expect(warnings).toHaveLength(1);
  expect(await readdir(join(renders, ".keepsake"))).toEqual([]);
});

test("endLeftRenderer() ends nothing that only has the number of a renderer, nor one that was forgotten", async () => {
  const { ctx, pid, process, renders, steps } = await lab();
  await rememberRenderer(ctx, pid);
  await forgetRenderer(ctx);
  await endLeftRenderer(ctx);
  await writeFile(join(renders, ".keepsake/renderer.json"), JSON.stringify({ ...process, started: "1" }));
  await endLeftRenderer(ctx);
  await writeFile(join(renders, ".keepsake/renderer.json"), "{");
  await endLeftRenderer(ctx);
  expect(await stateOf(process)).toBe("alive");
  expect(steps.join()).not.toContain("end the renderer");
});

test("endLeftRenderer() has nothing to do where nothing was rendered yet", async () => {
  const { ctx, steps } = testContext({ renders: join(await tempFolder(), "latest") });
  await endLeftRenderer(ctx);
  expect(steps).toEqual([]);
});
