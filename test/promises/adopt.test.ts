import { execFile } from "node:child_process";
import { appendFile, copyFile, cp, mkdir, readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { app as factorio } from "../../functions/factorio/app.ts";
import { app as sdtd } from "../../functions/sdtd/app.ts";
import type { Artefact } from "../../shared/app.ts";
import { hiddenFolder, openNas } from "../../shared/nas/nas.ts";
import { listPoints } from "../../shared/nas/points.ts";
import { tempFolder } from "../../shared/testing.ts";
import * as factorioWorld from "../worlds/factorio.ts";
import * as mapshotWorld from "../worlds/mapshot.ts";
import * as ollamaWorld from "../worlds/ollama.ts";
import { carry } from "../worlds/run.ts";
import * as sdtdWorld from "../worlds/sdtd.ts";

const exec = promisify(execFile);
const adopt = (config: string, app: string) => carry(config, app, { operation: "adopt" });

/** All of the export but the hidden folder, as `find` and `sha256sum` see it. */
async function shown(nas: string): Promise<string> {
  const find = `find . -path ./${hiddenFolder} -prune -o -printf '%p %y %s %T@\\n' | sort; find . -path ./${hiddenFolder} -prune -o -type f -print0 | sort -z | xargs -0 sha256sum`;
  return (await exec("sh", ["-c", find], { cwd: nas, maxBuffer: 64 << 20 })).stdout;
}

const goodOf = async (nas: string, app: string, artefacts: readonly Artefact[]) =>
  (await listPoints(openNas(nas).app(app), artefacts)).map(({ id, good }) => [id, good]);

/** Three saves as the shell jobs left them, the second cut short, and the newest as latest.zip. */
async function factorioOfTheIncumbent() {
  const folder = await tempFolder();
  await factorioWorld.layLab(folder);
  const { backups, config, nas } = factorioWorld.places(folder);
  const history = join(backups, "history");
  await mkdir(history, { recursive: true });
  for (const day of ["01", "02", "03"]) {
    const save = await factorioWorld.play(folder, 1000 + Number(day));
    const path = join(history, `factorio-202512${day}-060000.zip`);
    await copyFile(save, path);
    await utimes(path, Date.UTC(2025, 11, Number(day), 6) / 1000, Date.UTC(2025, 11, Number(day), 6) / 1000);
  }
  await truncate(join(history, "factorio-20251202-060000.zip"), 5000);
  await copyFile(join(history, "factorio-20251203-060000.zip"), join(backups, "latest.zip"));
  return { folder, backups, history, config, nas };
}

test("adopt vouches for what the incumbent left, names what it cannot, and changes nothing that is shown", async () => {
  const { backups, history, config, nas } = await factorioOfTheIncumbent();
  await writeFile(join(history, ".DS_Store"), "finder");
  await writeFile(join(backups, "..", "factorio-space-age_linux_2.0.72.tar.xz"), "the installer");
  const before = await shown(nas);
  const { outcome } = await adopt(config, "factorio");
  expect(outcome).toMatchObject({
    outcome: "adopted",
    adoption: {
      proven: ["factorio-20251201-060000.zip", "factorio-20251203-060000.zip"],
      unproven: [{ file: "factorio-20251202-060000.zip" }],
    },
  });
  expect(outcome.warnings).toEqual([
    expect.stringMatching(/^factorio-20251202-060000\.zip cannot be vouched for, and is left alone: ./),
  ]);
  expect(await shown(nas)).toBe(before);
  expect(await goodOf(nas, "factorio", factorio.artefacts)).toEqual([
    ["20251202-060000", false],
    ["20251201-060000", true],
    ["20251203-060000", true],
  ]);
  expect((await adopt(config, "factorio")).outcome).toMatchObject({ outcome: "adopted", adoption: { proven: [] } });
});

test("what was adopted is restored with its checksum, and the data that it was made of is unchanged", async () => {
  const { folder, config } = await factorioOfTheIncumbent();
  await adopt(config, "factorio");
  expect((await carry(config, "factorio", { operation: "backup", allow: [] })).outcome.outcome).toBe("unchanged");
  const restored = await carry(config, "factorio", { operation: "restore", allow: [], at: "20251201-060000" });
  expect(restored.outcome).toMatchObject({ outcome: "restored", point: { files: [{ sha256: expect.any(String) }] } });
  expect(restored.outcome.warnings.join()).not.toContain("no checksum");
  await factorioWorld.play(folder, 5000);
  const next = await carry(config, "factorio", { operation: "backup", allow: [] });
  // It counts like any other from then on; this lab keeps two.
  expect(next.outcome).toMatchObject({ outcome: "created", removed: ["factorio-20251201-060000.zip"] });
});

test("an adopted file that rots later is found out before a restore touches anything", async () => {
  const { history, config } = await factorioOfTheIncumbent();
  await adopt(config, "factorio");
  const path = join(history, "factorio-20251203-060000.zip");
  await exec("sh", ["-c", 'printf X | dd of="$1" bs=1 seek=3000 conv=notrunc', "sh", path]);
  const { outcome } = await carry(config, "factorio", { operation: "restore", allow: [], at: "20251203-060000" });
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "backup_damaged" } });
});

test("adopt tells of a latest.* that is the last copy of its bytes", async () => {
  const { backups, history, config } = await factorioOfTheIncumbent();
  await rm(join(history, "factorio-20251203-060000.zip"));
  const { outcome } = await adopt(config, "factorio");
  expect(outcome.warnings.join("\n")).toContain(
    `"${join(backups, "latest.zip")}" is the same as no file under history/`,
  );
});

test("adopt takes a save and its world of 7 Days to Die as one restore point", async () => {
  const folder = await tempFolder();
  await sdtdWorld.layLab(folder);
  await sdtdWorld.play(folder);
  const { backups, gameFolder, worldFolder, config, nas } = sdtdWorld.places(folder);
  const history = join(backups, "history");
  await mkdir(history, { recursive: true });
  const name = `7dtd-${sdtdWorld.played.world}-20251201-060000`;
  const pack = (file: string, of: string, what: string) =>
    exec("tar", ["czf", join(history, file), "-C", join(of, ".."), what]);
  await pack(`${name}.tar.gz`, gameFolder, sdtdWorld.played.game);
  await pack(`${name}-world.tar.gz`, worldFolder, sdtdWorld.played.world);
  const before = await shown(nas);
  const { outcome } = await adopt(config, "sdtd");
  expect(outcome.adoption).toEqual({ proven: [`${name}.tar.gz`, `${name}-world.tar.gz`], unproven: [] });
  expect(await shown(nas)).toBe(before);
  expect(await goodOf(nas, "sdtd", sdtd.artefacts)).toEqual([["20251201-060000", true]]);
});

test("adopt reads every blob of the incumbent's models, and says which model is not whole", async () => {
  const folder = await tempFolder();
  const made = await ollamaWorld.layLab(folder, { workload: undefined });
  const { models, mirror, nas, config } = ollamaWorld.places(folder);
  await mkdir(dirname(mirror), { recursive: true });
  await cp(models, mirror, { recursive: true });
  const [broken, ...whole] = made;
  await rm(join(mirror, "blobs", broken?.blobs[0] as string));
  const before = await shown(nas);
  const { outcome } = await adopt(config, "ollama");
  expect(outcome.adoption?.proven.toSorted()).toEqual(whole.map(({ name }) => name).sort());
  expect(outcome.adoption?.unproven).toEqual([{ file: broken?.name, why: expect.stringContaining("is not there") }]);
  expect(await shown(nas)).toBe(before);
});

test("adopt looks at every tile of the incumbent's map", async () => {
  const folder = await tempFolder();
  await mapshotWorld.layLab(folder);
  await mapshotWorld.render(folder);
  const { config, nas, map } = mapshotWorld.places(folder);
  await carry(config, "mapshot", { operation: "backup", allow: [] });
  await rm(join(nas, hiddenFolder, "mapshot"), { recursive: true });
  const before = await shown(nas);
  const sound = (await adopt(config, "mapshot")).outcome;
  expect(sound.adoption).toEqual({
    proven: [expect.stringMatching(/^renders\/d-[0-9a-f]{8} \(\d+ tiles\)$/)],
    unproven: [],
  });
  expect(await shown(nas)).toBe(before);
  const entries = await readdir(join(map, "renders"), { recursive: true, withFileTypes: true });
  const tile = entries.find(({ name }) => name.endsWith(".jpg"));
  await appendFile(join(tile?.parentPath as string, tile?.name as string), "x");
  expect((await adopt(config, "mapshot")).outcome.adoption).toMatchObject({ proven: [], unproven: [{}] });
});
