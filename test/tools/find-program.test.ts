import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findChromium, findPromtool } from "./find-program.ts";

test("findChromium() takes what the PATH has, by any of its names", async () => {
  const folder = await mkdtemp(join(tmpdir(), "programs-"));
  const program = join(folder, "chromium-browser");
  await writeFile(program, "");
  await chmod(program, 0o755);
  expect(await findChromium(`/nowhere:${folder}`)).toBe(program);
});

test.runIf(process.platform === "linux")(
  "findChromium() and findPromtool() name the package that brings them",
  async () => {
    await expect(findChromium("/nowhere")).rejects.toMatchObject({
      code: "tool_missing",
      message: "Cannot run the test: the program chromium is wanted, is not installed",
      hint: "Type: sudo apt-get install chromium",
    });
    await expect(findPromtool("/nowhere")).rejects.toMatchObject({ hint: "Type: sudo apt-get install prometheus" });
  },
);
