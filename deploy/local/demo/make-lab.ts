import { mkdir, writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import { Disk } from "../../../shared/disk.ts";
import { initNas, markerPath } from "../../../shared/nas/nas.ts";
import { createStep } from "../../../shared/step.ts";
import { type LabApp, placesIn, shown } from "./lab.ts";

const comment = `# The demo's home lab. The gateway of \`make up\` reads this file; the README lists every setting.
# The next \`make demo\` makes this folder anew: keep a configuration of your own elsewhere (make up CONFIG=…).
`;

/** The NAS with its marker, every app with its data and a server that runs, and the settings that lead to them. */
export async function makeLab(folder: string, apps: readonly LabApp[], say: (line: string) => void): Promise<void> {
  const { config, nas, secrets } = placesIn(folder);
  await mkdir(nas);
  await mkdir(secrets, { mode: 0o700 });
  say(`${label("NAS")}${shown(nas)}`);
  await initNas(nas, new Disk(createStep()));
  say(`${label("")}marked as the export: ${shown(markerPath(nas))}`);
  const settings: Record<string, unknown> = {};
  for (const app of apps) {
    const made = await app.make();
    settings[app.name] = made.settings;
    say(`${label(app.title)}${made.about}`);
  }
  const yaml = stringify({ nas: "./nas", state: "./state", secrets: "./secrets", apps: settings }, { lineWidth: 0 });
  await writeFile(config, comment + yaml);
  say(`${label("Settings")}${shown(config)}`);
}

export const label = (text: string) => text.padEnd(15);
