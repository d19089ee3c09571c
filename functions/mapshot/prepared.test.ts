import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { RestorePoint } from "../../shared/nas/points.ts";
import { sha256Of } from "../../shared/nas/publish.ts";
import { tempFolder } from "../../shared/testing.ts";
import { prepareRender, takePrepared } from "./prepared.ts";
import { recordRendered } from "./render.ts";
import { testContext } from "./testing.ts";

const exec = promisify(execFile);

/** A NAS with one save and an installer, a claim, and the folder that the containers share. */
async function lab(command: string, { installer = true, graceSeconds = 0 } = {}) {
  const root = await tempFolder();
  const [nas, factorio, work] = [join(root, "nas/factorio"), join(root, "claim/factorio"), join(root, "work")];
  const renders = join(factorio, "script-output/mapshot/latest");
  for (const folder of [join(nas, "backups/history"), work, join(root, "made/factorio/bin/x64"), renders])
    await mkdir(folder, { recursive: true });
  const path = join(nas, "backups/history/factorio-20251219-180000.zip");
  await writeFile(path, "a save");
  await writeFile(join(root, "made/factorio/bin/x64/factorio"), "#!/bin/sh\n", { mode: 0o755 });
  const archive = join(nas, "factorio-space-age_linux_2.0.72.tar.xz");
  if (installer) await exec("tar", ["-cJf", archive, "-C", join(root, "made"), "factorio"]);
  const file = { kind: "save", name: "factorio-20251219-180000.zip", sizeBytes: 6, sha256: await sha256Of(path) };
  const point = {
    ...{ id: "20251219-180000", takenAtMs: 0, good: true, pinned: false },
    files: [{ ...file, path, pinned: false }],
    manifest: { files: [{ ...file, checksum: file.sha256 }] },
  } as unknown as RestorePoint;
  const settings = { renders, render: { command, graceSeconds } };
  const { ctx, warnings } = testContext(settings, { points: [point] });
  const prepared = { ...ctx, companion: work };
  /** What the other container does, as deploy/manifests has it. */
  const renderer = async () => {
    const line = "[ -f command ] || exit 0; /bin/sh command >log 2>&1 && status=0 || status=$?; echo $status >status";
    await exec("sh", ["-c", line], { cwd: work });
  };
  const take = () => takePrepared(prepared, prepared.settings.render as never, work);
  return { ctx: prepared, warnings, root, factorio, work, renders, archive, file, renderer, take };
}

const page = (renders: string, hash = "5f60503a") =>
  writeFile(join(renders, "index.html"), `<script>MAPSHOT_CONFIG = {"path":"d-${hash}"}</script>`);
const good =
  'cat "$SAVE" >seen; echo "$FACTORIO"; mkdir -p d; echo "Output: $FACTORIO/script-output/mapshot/latest/d-5f60503a"';

test("prepareRender() lays out the save and Factorio, and takePrepared() takes what was rendered of it", async () => {
  const { ctx, factorio, work, renders, file, renderer, take } = await lab(good);
  await prepareRender(ctx);
  expect(await readFile(join(work, "latest.zip"), "utf8")).toBe("a save");
  expect(await readdir(join(factorio, "bin/x64"))).toEqual(["factorio"]);
  const { mods } = JSON.parse(await readFile(join(factorio, "mods/mod-list.json"), "utf8"));
  expect(mods).toContainEqual({ name: "space-age", enabled: true });
  await renderer();
  await page(renders);
  expect(await take()).toEqual({ pointId: "20251219-180000", sha256: file.sha256 });
  expect(await readFile(join(work, "work/seen"), "utf8")).toBe("a save");
});

test("prepareRender() lays out nothing for a save that was rendered, and unpacks an installer once", async () => {
  const { ctx, factorio, work, renders, file, renderer, take } = await lab(good);
  await prepareRender(ctx);
  await writeFile(join(factorio, "bin/x64/mine"), "kept");
  await writeFile(join(factorio, "mods/mod-list.json"), "mine");
  await page(renders);
  await recordRendered(ctx, "5f60503a", { pointId: "20251219-180000", sha256: file.sha256 }, good);
  await rm(work, { recursive: true });
  await mkdir(work);
  await prepareRender(ctx);
  expect(await readdir(work)).toEqual([]);
  await renderer();
  expect(await take()).toBeUndefined();
  await rm(join(renders, ".keepsake"), { recursive: true });
  await prepareRender(ctx);
  expect(await readFile(join(factorio, "bin/x64/mine"), "utf8")).toBe("kept");
  expect(await readFile(join(factorio, "mods/mod-list.json"), "utf8")).toBe("mine");
});

test.each([
  ["a status that is not 0", "echo broken; exit 3", /exit status 0 is wanted, is 3.*broken/s],
  ["no output", "echo started", /"Output: <path>" is wanted, it ended without/],
])("takePrepared() refuses %s", async (_, command, why) => {
  const { ctx, renderer, take } = await lab(command);
  await prepareRender(ctx);
  await renderer();
  await expect(take()).rejects.toMatchObject({ code: "tool_failed", message: expect.stringMatching(why) });
});

test("a renderer that is done and does not end is ended, and what it made is taken", async () => {
  const { ctx, renders, warnings, renderer, take } = await lab(`${good}; sleep 1000`);
  await prepareRender(ctx);
  await renderer();
  await page(renders);
  expect(await take()).toMatchObject({ pointId: "20251219-180000" });
  expect(warnings.join()).toContain("had not ended 0 s after it was done");
});

test("prepareRender() says that Factorio is wanted, and refuses a damaged installer and a damaged save", async () => {
  const without = await lab(good, { installer: false });
  await expect(prepareRender(without.ctx)).rejects.toMatchObject({
    code: "tool_missing",
    hint: expect.stringContaining("factorio-space-age_linux_"),
  });
  const cut = await lab(good);
  await writeFile(cut.archive, (await readFile(cut.archive)).subarray(0, 100));
  await expect(prepareRender(cut.ctx)).rejects.toMatchObject({ code: "tool_failed" });
  const rotten = await lab(good);
  await writeFile(join(rotten.root, "nas/factorio/backups/history/factorio-20251219-180000.zip"), "A save");
  await expect(prepareRender(rotten.ctx)).rejects.toMatchObject({ code: "backup_damaged" });
  expect(await readdir(rotten.work)).not.toContain("command");
});
