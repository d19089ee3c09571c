import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { app } from "../../../functions/factorio/app.ts";
import { expectSoundNas, expectTidyNas } from "../../crash/nas-checks.ts";
import { killStories, type Story } from "../../crash/story.ts";
import { places } from "../../worlds/factorio.ts";
import { joinCluster } from "../join.ts";
import { after, before, lay, open, stateOf, type World } from "./factorio-world.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("factorio");

const restore: Story<World> = {
  app: "factorio",
  name: "factorio, on a cluster: a restore, server running",
  request: { operation: "restore", at: "latest", allow: [] },
  sample: 2,
  outcomes: ["restored"],
  lay,
  open: (folder) => open(folder, cluster, home),
  close: ({ witness }) => witness.remove(),
  configPath: (folder) => places(folder).config,
  runner: join(import.meta.dirname, "outside-runner.ts"),
  async lookAfterKill({ folder, known, witness }, killed) {
    await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
    if (await witness.isUp()) expect([before, after], killed.log).toContain(await stateOf(folder));
  },
  async lookAfterMend({ folder, witness }) {
    await witness.expectBack();
    expect([before, after]).toContain(await stateOf(folder));
  },
  async lookAtEnd({ folder, known, witness }, runIds) {
    await expectSoundNas(places(folder).nas, "factorio", app.artefacts, known);
    await expectTidyNas(places(folder).nas, "factorio", runIds);
    await witness.expectBack();
    expect(await stateOf(folder)).toBe(after);
    return readdir(join(places(folder).saves, ".keepsake"));
  },
};

killStories<World>([restore]);
