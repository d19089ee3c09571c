import { chmod, chown, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../testing.ts";
import { lookAtNas } from "./look.ts";
import { prepareNas } from "./prepare-nas.ts";

const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test("prepareNas() marks, and makes the folders of apps that have none", async () => {
  const nas = await tempFolder();
  await mkdir(join(nas, "factorio"), { mode: 0o700 });
  const apps = ["factorio", "sdtd"].map((name) => ({ name, user: self }));
  for (const _ of ["once", "again"]) await prepareNas(nas, apps);
  expect((await stat(join(nas, ".keepsake"))).mode & 0o7777).toBe(0o1777);
  expect((await stat(join(nas, "factorio"))).mode & 0o777).toBe(0o700);
  expect((await readdir(nas)).sort()).toEqual([".keepsake", "factorio", "sdtd"]);
});

test("lookAtNas() writes nothing into what is not marked", async () => {
  const nas = await tempFolder();
  expect(await lookAtNas(nas, "sdtd")).toMatchObject({ notMarked: expect.stringContaining("export.json") });
  expect(await readdir(nas)).toEqual([]);
});

test("lookAtNas() says whom new files belong to, and leaves nothing", async () => {
  const nas = await tempFolder();
  await prepareNas(nas, [{ name: "sdtd", user: self }]);
  const before = await readdir(nas, { recursive: true });
  const look = await lookAtNas(nas, "sdtd");
  expect(look).toMatchObject({ makes: `${self.uid}:${self.gid}`, closed: [], closedCount: 0, partly: false });
  expect(await readdir(nas, { recursive: true })).toEqual(before);
});

test.runIf(self.uid === 0)(
  "lookAtNas() names files of others in a folder where only their owner may move them",
  async () => {
    const nas = await tempFolder();
    await prepareNas(nas, []);
    await mkdir(join(nas, "sdtd"));
    await chmod(join(nas, "sdtd"), 0o1777);
    await writeFile(join(nas, "sdtd/latest.zip"), "");
    await chown(join(nas, "sdtd/latest.zip"), 65534, 65534);
    expect(await lookAtNas(nas, "sdtd")).toMatchObject({ closed: [join(nas, "sdtd/latest.zip")], closedCount: 1 });
  },
);
