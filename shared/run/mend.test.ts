import { expect, test } from "vitest";
import type { RunContext } from "../app.ts";
import { Failure } from "../failures.ts";
import { createStep } from "../step.ts";
import { boxContext, boxRun, describeRun, makeNas } from "../testing.ts";
import type { AppRun } from "./app-run.ts";
import type { RunDescription, RunRequest } from "./description.ts";
import { mend } from "./mend.ts";

/** An app that a killed run has stopped and that does not come up any more, as over a broken database. */
async function brokenApp(request: RunRequest, code: "workload_failed" | "lock_lost" = "workload_failed") {
  const { folders } = await makeNas();
  const events: string[] = [];
  const warnings: string[] = [];
  const run: RunDescription = describeRun({ request });
  const ctx: RunContext = { ...boxContext(createStep(), run), warn: (message) => void warnings.push(message) };
  const type = {
    artefacts: [],
    loadRestore: async () => ({
      needsStop: true,
      target: () => ({ recover: async () => ({ action: "nothing" }), asides: async () => [] }),
    }),
  };
  const workload = {
    stoppedBy: async () => "backup-box-0",
    stop: async () => {},
    start: () => Promise.reject(new Failure(code, 'Cannot start "box": it is not ready after 60 s')),
    release: async () => void events.push("release"),
  };
  return { run: { ...boxRun(ctx, folders), type, workload } as unknown as AppRun, events, warnings };
}

test("mend() lets a restore and an undo go on with an app that does not come up: new data is what it may need", async () => {
  for (const request of [
    { operation: "restore", app: "box", at: "latest", allow: [] },
    { operation: "undo", app: "box", allow: [] },
  ] as unknown as RunRequest[]) {
    const { run, events, warnings } = await brokenApp(request);
    await mend(run);
    expect(events, "it is still known that the app has to be brought back").toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("not ready after 60 s")]);
  }
});

test("mend() fails any other run when the app does not come up, and any run when the lock is lost", async () => {
  const backup = await brokenApp({ operation: "backup", app: "box", allow: [] } as unknown as RunRequest);
  await expect(mend(backup.run)).rejects.toMatchObject({ code: "workload_failed" });
  const restore = { operation: "restore", app: "box", at: "latest", allow: [] } as unknown as RunRequest;
  await expect(mend((await brokenApp(restore, "lock_lost")).run)).rejects.toMatchObject({ code: "lock_lost" });
});
