import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { openWebuiLab } from "../../deploy/local/demo/open-webui-lab.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { carry } from "../worlds/run.ts";

test.for([false, true])(
  "Open WebUI's lab tells the story: created, unchanged, destroyed, identical (uploads: %s)",
  async (uploads) => {
    const root = await mkdtemp(join(tmpdir(), "keepsake-webui-lab-"));
    const lab = openWebuiLab(root, { uploads });
    onTestFinished(async () => {
      await lab.stop();
      await rm(root, { recursive: true });
    });
    await mkdir(join(root, "nas"));
    await initNas(join(root, "nas"), new Disk(createStep()));
    const config = join(root, "keepsake.yaml");
    const { settings } = await lab.make();
    await writeFile(config, stringify({ nas: "./nas", state: "./state", apps: { [lab.name]: settings } }));
    const run = async (request: Parameters<typeof carry>[2]) => (await carry(config, lab.name, request)).outcome;
    const backUp = () => run({ operation: "backup", allow: [] });

    expect(await backUp()).toMatchObject({ outcome: "created", warnings: [] });
    expect(await backUp()).toMatchObject({ outcome: "unchanged", warnings: [] });
    const before = await lab.content();
    expect(lab.describe(before)).toMatch(/^3 users, \d{3,} chats, \d{3,} messages in 28 tables.*; its server runs$/);
    await lab.destroy();
    expect(await run({ operation: "plan" })).not.toHaveProperty("plan.present");
    expect(await run({ operation: "restore", allow: [] })).toMatchObject({ outcome: "restored", warnings: [] });
    expect(await lab.content()).toEqual(before);
    expect(await backUp()).toMatchObject({ outcome: "unchanged" });
  },
);
