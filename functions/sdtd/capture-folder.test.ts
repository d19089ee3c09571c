import { execFileSync } from "node:child_process";
import { appendFile, mkdir, rename, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Stage } from "../../shared/app.ts";
import { readTree, tempFolder, writeTree } from "../../shared/testing.ts";
import { captureFolder } from "./capture-folder.ts";
import { countsAsChange } from "./members.ts";
import { folderStage, testContext } from "./testing.ts";

const files = {
  "main.ttw": "head",
  "Region/r.0.0.7rg": "R".repeat(70_000),
  "Player/a.ttp": "player",
  "Player/b.ttp": "",
};

async function laid() {
  const root = await tempFolder();
  const folder = join(root, "game");
  await writeTree(folder, { ...files, "empty/": "" });
  const { ctx, steps } = testContext({}, join(root, "scratch"));
  const stage = folderStage(ctx, root);
  const capture = (use: Stage = stage) =>
    captureFolder(ctx, use, "save", { folder, root: "Home", counts: countsAsChange });
  return { root, folder, ctx, steps, stage, capture };
}

/** As tar unpacks it. */
async function unpacked(root: string) {
  await rm(join(root, "out"), { recursive: true, force: true });
  await mkdir(join(root, "out"));
  execFileSync("tar", ["xzf", join(root, "save"), "-C", join(root, "out")]);
  return readTree(join(root, "out"));
}
const underHome = (tree: Record<string, string>) =>
  Object.fromEntries(Object.entries(tree).map(([path, content]) => [`Home/${path}`, content]));

/** A stage where something happens while the first archives are written. */
function disturbed(stage: Stage, times: number, disturb: (time: number) => Promise<unknown>): Stage {
  let time = 0;
  return {
    ...stage,
    async write(kind, bytes) {
      const slowly = async function* () {
        const now = ++time;
        let first = true;
        for await (const piece of bytes) {
          yield piece;
          if (first && now <= times) await disturb(now);
          first = false;
        }
      };
      return stage.write(kind, slowly());
    },
  };
}

test("captureFolder() makes an archive that tar unpacks, with the folder as its one root", async () => {
  const { root, capture } = await laid();
  const { checksum, fingerprint, about } = await capture();
  expect(await unpacked(root)).toEqual(underHome(files));
  expect(execFileSync("tar", ["tzf", join(root, "save")], { encoding: "utf8" }).split("\n")).toContain("Home/empty/");
  expect(about.unpackedBytes).toBe(70_010);
  expect([checksum, fingerprint]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.any(String)]);
});

test("captureFolder() gives the same checksum and fingerprint as long as only the header moves, and others for a region", async () => {
  const { folder, capture } = await laid();
  const first = await capture();
  await writeFile(join(folder, "main.ttw"), "later");
  await writeFile(join(folder, "main.ttw.bak"), "head");
  await writeFile(join(folder, "Player/a.ttp.tmp"), "half");
  expect(await capture()).toMatchObject({ checksum: first.checksum, fingerprint: first.fingerprint });
  await writeFile(join(folder, "Player/a.ttp"), "player");
  const rewritten = await capture();
  expect(rewritten.checksum).toBe(first.checksum);
  expect(rewritten.fingerprint).not.toBe(first.fingerprint);
  await appendFile(join(folder, "Region/r.0.0.7rg"), "!");
  expect((await capture()).checksum).not.toBe(first.checksum);
});

test("captureFolder() leaves out what is about to be renamed", async () => {
  const { root, folder, capture } = await laid();
  await writeFile(join(folder, "Player/a.ttp.tmp"), "half");
  await capture();
  expect(Object.keys(await unpacked(root))).not.toContain("Home/Player/a.ttp.tmp");
});

const changes: [string, (folder: string, time: number) => Promise<unknown>][] = [
  ["grows", (folder) => appendFile(join(folder, "Region/r.0.0.7rg"), "more")],
  ["shrinks", (folder, time) => truncate(join(folder, "Region/r.0.0.7rg"), 60_000 - time)],
  ["is written over", (folder, time) => writeFile(join(folder, "Region/r.0.0.7rg"), String(time).repeat(70_000))],
  ["vanishes", (folder) => rm(join(folder, "Player/b.ttp"), { force: true })],
  ["is made", (folder, time) => writeFile(join(folder, `Player/new-${time}.ttp`), "new")],
  [
    "is replaced by another",
    async (folder, time) => {
      await writeFile(join(folder, "new"), `player ${time}`);
      await rename(join(folder, "new"), join(folder, "Player/a.ttp"));
    },
  ],
];
for (const [what, change] of changes) {
  test(`captureFolder() copies again when a file ${what} meanwhile, and the archive is of one moment`, async () => {
    const { root, folder, stage, capture } = await laid();
    await capture(disturbed(stage, 1, (time) => change(folder, time)));
    expect(await unpacked(root)).toEqual(underHome(await readTree(folder)));
  });
}

test("captureFolder() gets a whole game although its players go on writing: what moves is copied aside first", async () => {
  const { root, folder, stage, capture, steps } = await laid();
  const write = (time: number) => writeFile(join(folder, "Region/r.0.0.7rg"), `${time} `.repeat(30_000));
  const { fingerprint } = await capture(disturbed(stage, 99, write));
  // The second archive has what the first one was disturbed by.
  expect((await unpacked(root))["Home/Region/r.0.0.7rg"]).toBe("1 ".repeat(30_000));
  expect(steps.filter((step) => step.startsWith("create") && step.includes("scratch"))).toHaveLength(1);
  // What was written after the copy is seen by the next run.
  expect((await capture()).fingerprint).not.toBe(fingerprint);
});

test("captureFolder() gives up when always other files move, and says which", async () => {
  const { folder, stage, capture } = await laid();
  let count = 0;
  const disturb = () => {
    count += 1;
    return writeFile(join(folder, `Region/r.${count}.9.7rg`), "new");
  };
  await expect(capture(disturbed(stage, 99, disturb))).rejects.toMatchObject({
    code: "source_changing",
    message: expect.stringContaining("Region/r.6.9.7rg"),
  });
  expect(count).toBe(6);
});

test("captureFolder() refuses a link and a special file, and never reads through one (an archive elsewhere held other people's files)", async () => {
  const { folder, capture, stage } = await laid();
  const swap = async () => {
    await unlink(join(folder, "Player/a.ttp"));
    await symlink("/etc/passwd", join(folder, "Player/a.ttp"));
  };
  await expect(capture(disturbed(stage, 1, swap))).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringContaining("is a link"),
  });
  await unlink(join(folder, "Player/a.ttp"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await expect(capture()).rejects.toMatchObject({ message: expect.stringContaining("is a special file") });
});

test("captureFolder() notices a second write within one step of the file system's clock", async () => {
  const { root, folder, capture } = await laid();
  for (let round = 0; round < 5; round++) {
    await writeFile(join(folder, "main.ttw"), `a${round}`);
    const captured = capture();
    await captured;
    expect((await unpacked(root))["Home/main.ttw"]).toBe(`a${round}`);
  }
});
