import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { assemble } from "../../deploy/image/assemble.ts";
import { freePort } from "../../deploy/local/lab/free-port.ts";
import { RunView, StateView } from "../../shared/run/report.ts";
import { tempFolder } from "../../shared/testing.ts";
import { layLab, places, play } from "../worlds/factorio.ts";

/** As a pod has it whose data is that user's; whoever is not root tests as himself. */
const uid = process.getuid?.() === 0 ? 845 : undefined;

test("the image's folder is all that a function and its runner need, for a user who may write to nothing of it", async () => {
  const folder = await tempFolder();
  const app = join(folder, "app");
  await assemble(app);
  const lab = join(folder, "lab");
  await mkdir(lab);
  await layLab(lab);
  const save = await play(lab, 1000);
  const temporary = join(folder, "tmp");
  await mkdir(temporary);
  for (const path of ["", "lab", "lab/nas", "lab/nas/.keepsake", "lab/saves", "tmp"])
    if (uid) await chown(join(folder, path), uid, uid);

  const port = await freePort();
  const child = spawn(process.execPath, ["--max-semi-space-size=1", join(app, "keepsake.cjs"), "serve"], {
    cwd: "/",
    stdio: ["ignore", "inherit", "inherit"],
    ...(uid !== undefined && { uid, gid: uid }),
    env: {
      ...{ KEEPSAKE_FUNCTION: "backup-factorio", KEEPSAKE_CONFIG: places(lab).config, TMPDIR: temporary },
      ...{ PORT: String(port), HOST: "127.0.0.1", healthcheck_interval: "0" },
    },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const url = `http://127.0.0.1:${port}/`;
  const headers = { accept: "application/json" };
  const isUp = () => fetch(`${url}_/ready`).then(({ ok }) => ok, () => false); // biome-ignore format: one line reads better
  while (child.exitCode === null && !(await isUp())) await delay(20);

  const run = RunView.parse(await (await fetch(url, { method: "POST", headers })).json());
  expect(run).toMatchObject({ status: "created" });
  expect(await readFile(join(places(lab).backups, "latest.zip"))).toEqual(await readFile(save));
  const state = StateView.parse(await (await fetch(url, { headers })).json());
  expect(state.apps[0]?.points).toMatchObject([{ verified: true, latest: true }]);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});
