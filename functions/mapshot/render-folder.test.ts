import { mkdir, readFile, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeRender } from "../../deploy/local/lab/mapshot/make-render.ts";
import { tempFolder } from "../../shared/testing.ts";
import { openRender } from "./render-folder.ts";

async function lab() {
  const folder = await tempFolder("memory");
  const hash = await writeRender(folder);
  const viewer = /viewer-\w+\.js/.exec(await readFile(join(folder, "index.html"), "utf8"))?.[0] as string;
  return { folder, hash, viewer };
}

test("openRender() finds the render that index.html names, and what belongs to its page", async () => {
  const { folder, hash, viewer } = await lab();
  await writeFile(join(folder, "viewer-00000000.js"), "of an earlier Mapshot");
  await writeFile(join(folder, "notes.txt"), "mine");
  await writeFile(join(folder, "data.json"), "{}");
  await mkdir(join(folder, "d-00000000"));
  expect(await openRender(folder, "source_invalid")).toMatchObject({
    name: `d-${hash}`,
    path: join(folder, `d-${hash}`),
    info: { unique_id: hash },
    viewer: ["layers.svg", "manifest.json", "thumbnail.png", viewer].sort(),
  });
});

test("openRender() finds a render as it lies on the NAS", async () => {
  const root = await tempFolder("memory");
  const { folder, hash } = await lab();
  const page = (await openRender(folder, "source_invalid")).page;
  await mkdir(join(root, "renders"));
  await symlink(join(folder, `d-${hash}`), join(root, "renders", `d-${hash}`));
  await writeFile(join(root, page.refersTo.find((name) => name.endsWith(".js")) as string), "x");
  await writeFile(join(root, "index.html"), page.at("renders/"));
  expect((await openRender(root, "backup_damaged")).path).toBe(join(root, "renders", `d-${hash}`));
});

test.each<[string, (lab: { folder: string; hash: string; viewer: string }) => Promise<unknown>, RegExp]>([
  ["no index.html", ({ folder }) => unlink(join(folder, "index.html")), /index\.html/],
  [
    "no render where it says",
    ({ folder, hash }) => rm(join(folder, `d-${hash}`), { recursive: true }),
    /mapshot\.json/,
  ],
  [
    "the render of another name",
    ({ folder, hash }) =>
      writeFile(join(folder, "index.html"), `MAPSHOT_CONFIG = {"path":"d-${hash.split("").reverse().join("")}"}`),
    /mapshot\.json/,
  ],
  ["no viewer", ({ folder, viewer }) => unlink(join(folder, viewer)), /viewer-/],
  ["half a viewer", ({ folder, viewer }) => truncate(join(folder, viewer), 0), /viewer-/],
  [
    "a link for a viewer",
    ({ folder, viewer }) => unlink(join(folder, viewer)).then(() => symlink("/etc/passwd", join(folder, viewer))),
    /viewer-/,
  ],
  [
    "a folder for a thumbnail",
    ({ folder }) => unlink(join(folder, "thumbnail.png")).then(() => mkdir(join(folder, "thumbnail.png"))),
    /thumbnail/,
  ],
])("openRender() refuses a folder with %s", async (_, damage, name) => {
  const found = await lab();
  await damage(found);
  await expect(openRender(found.folder, "source_invalid")).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringMatching(name),
  });
});

test("openRender() bears a style or an icon that is not there", async () => {
  const { folder } = await lab();
  await unlink(join(folder, "thumbnail.png"));
  expect((await openRender(folder, "source_invalid")).viewer).not.toContain("thumbnail.png");
});
