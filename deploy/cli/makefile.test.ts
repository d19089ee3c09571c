import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appView, endedRun, FunctionsServer } from "./testing/functions-server.ts";

const clone = join(import.meta.dirname, "../..");
let server: FunctionsServer;
let url: string;
beforeEach(async () => {
  server = new FunctionsServer();
  url = await server.listen();
});
afterEach(() => server.close());

/** The set-up is left out (-o): a test must not change node_modules. */
function make(...args: string[]): Promise<{ code: number | string; text: string }> {
  return new Promise((resolve) => {
    execFile(
      "make",
      ["-s", "-o", "tools", ...args],
      { cwd: clone, env: { ...process.env, MAKEFLAGS: "" } },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: stdout + stderr }),
    );
  });
}

const withoutMake = (await make("--version")).code === "ENOENT";

test.skipIf(withoutMake)("make hands variables on as they are, whatever a shell would make of them", async () => {
  server.apps("backup-factorio", appView("factorio", "Factorio"));
  server.answers("backup-factorio", {
    status: 200,
    body: endedRun("r1", "factorio", { outcome: "pinned", operation: "pin" }),
  });
  const at = 'Thu 18:00\'; "quoted" `id` *; exit 7 #';
  expect(await make("pin-factorio", `AT=${at}`, `GATEWAY=${url}`)).toMatchObject({ code: 0 });
  expect(server.posts("backup-factorio")[0]?.body).toMatchObject({ operation: "pin", app: "factorio", at });
});

test.skipIf(withoutMake)("make fails when a command does", async () => {
  expect(await make("list-factorio", "GATEWAY=http://127.0.0.1:9")).toMatchObject({
    code: 2,
    text: expect.stringContaining("Cannot reach the gateway"),
  });
});

test.skipIf(withoutMake)("make help lists every target, those with an app's name too", async () => {
  const { text } = await make();
  for (const target of ["demo", "up", "backup-<app>", "restore-all", "undo-restore-<app>", "doctor"]) {
    expect(text).toContain(`make ${target} `);
  }
});
