import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assemble } from "../../../deploy/image/assemble.ts";
import { writeSave } from "../../../deploy/local/lab/factorio/make-save.ts";
import { startNatsServer } from "../../../deploy/local/lab/nats/server.ts";
import { Disk } from "../../../shared/disk.ts";
import { initNas } from "../../../shared/nas/nas.ts";
import { loadStackFile } from "../../../shared/stack/stack-file.ts";
import { createStep } from "../../../shared/step.ts";
import type { Work } from "../bench.ts";
import { end, type FleetFunction, memoryOf, post, startFunction, untilAtRest } from "../fleet.ts";
import { median } from "../statistics.ts";
import { shown, sizeRow } from "../table.ts";

const goal = { bytes: 20e6, seconds: 0.3 };
/** The longest that one stays at work after it was called. */
const restWithinMs = 120_000;

/** All functions of stack.yml at once, as the image has them: what they hold while nobody calls, and how soon they answer. */
export const idle: Work = {
  name: "idle",
  diskBytes: 100e6,
  measure: (bench) =>
    bench.folder("idle", async (folder) => {
      const [app, nas, saves] = ["app", "nas", "saves"].map((name) => join(folder, name)) as [string, string, string];
      await assemble(app);
      await Promise.all([nas, saves].map((path) => mkdir(path)));
      await initNas(nas, new Disk(createStep()));
      await writeSave(join(saves, "homelab.zip"), "homelab", { seed: 7, tick: 1, saves: 1, levelBytes: 1e6 });
      const config = join(folder, "keepsake.yaml");
      const others = { sdtd: {}, mapshot: {}, postgresql: {}, "open-webui": {}, ollama: {} };
      const status = { scrubHours: 0, drillDays: 0 };
      await writeFile(
        config,
        JSON.stringify({ nas, state: join(folder, "state"), status, apps: { ...others, factorio: { saves } } }),
      );
      const nats = await startNatsServer({ folder: join(folder, "nats") });
      const environment = { KEEPSAKE_CONFIG: config, NATS_URL: nats.url, KEEPSAKE_GATEWAY: "http://127.0.0.1:1" };
      const fleet: FleetFunction[] = [];
      try {
        for (const { service } of await loadStackFile(join(app, "stack.yml"), {}))
          fleet.push(await startFunction(service, { app, folder, environment }));
        for (const one of fleet) await post(one);
        const rested = await Promise.all(fleet.map((one) => untilAtRest(one, restWithinMs)));
        const held = await Promise.all(fleet.map(memoryOf));
        const seconds = fleet.map(({ firstAnswerSeconds }) => firstAnswerSeconds);
        const most = Math.max(...held.map(({ privateDirty }) => privateDirty));
        bench.rows.push(sizeRow("an idle function, the largest of all", "the goal", 1, most, goal.bytes));
        const ours = median(seconds);
        const first = { work: "a function's first answer", unit: "seconds", against: "the goal", goal: 1 } as const;
        bench.rows.push({ ...first, ours, peer: goal.seconds, ratio: ours / goal.seconds });
        const all = (field: "privateDirty" | "proportional") => held.reduce((sum, one) => sum + one[field], 0);
        bench.proofs.push(
          `${fleet.length} idle functions, after each had answered a GET and a POST: ${shown(all("privateDirty"), "bytes")} of private memory, ${shown(all("proportional"), "bytes")} with their share of what is shared; ${rested.filter((is) => is).length} of them at rest. The slowest first answer took ${shown(Math.max(...seconds), "seconds")}`,
        );
      } finally {
        await Promise.all(fleet.map(end));
        await nats.kill();
      }
    }),
};
