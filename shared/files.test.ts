import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { access, callAtOnceBelow, link, lstat, openSmall, readdir, readFile, rename, stat, unlink } from "./files.ts";
import { tempFolder } from "./testing.ts";

/** What each call answers, and how it fails, in a folder with one file. */
async function answersIn(folder: string) {
  await mkdir(join(folder, "in"));
  const path = (name: string) => join(folder, "in", name);
  await writeFile(path("a"), "text");
  await symlink("a", path("leads"));
  const code = (error: NodeJS.ErrnoException) => error.code;
  const written = await openSmall(path("b"), "wx", 0o640);
  const bytes = Buffer.from("new");
  const { bytesWritten } = await written.write(bytes, 0, bytes.length, 0);
  await written.chmod(0o600);
  await written.utimes(1, 2);
  await written.sync();
  await written.datasync();
  await written.close();
  const made = await stat(path("b"), { bigint: true });
  await link(path("b"), path("c"));
  await rename(path("c"), path("d"));
  return {
    bytesWritten,
    made: [made.mode, made.mtimeMs, made.size],
    names: (await readdir(folder)).concat(await readdir(path(""))),
    texts: [await readFile(path("d"), "utf8"), (await readFile(path("leads"))).toString()],
    isLink: (await lstat(path("leads"))).isSymbolicLink(),
    access: await access(path("a")),
    gone: await unlink(path("a")),
    failures: [
      await stat(path("leads")).catch(code),
      await readFile(path("a"), "utf8").catch(code),
      await readdir(path("a")).catch(code),
      await link(path("b"), path("d")).catch(code),
      await openSmall(path("b"), "wx").catch(code),
    ],
  };
}

test("callAtOnceBelow() changes no answer and no failure", async () => {
  const [far, near] = [await tempFolder(), await tempFolder()];
  await callAtOnceBelow(near);
  const expected = await answersIn(far);
  expect(expected).toMatchObject({
    bytesWritten: 3,
    texts: ["new", "text"],
    failures: ["ENOENT", "ENOENT", "ENOENT", "EEXIST", "EEXIST"],
  });
  expect(await answersIn(near)).toEqual(expected);
});

test.runIf(process.platform === "linux")(
  "callAtOnceBelow() has calls made at once in the folder, not beside it",
  async () => {
    const parent = await tempFolder();
    const folder = join(parent, "nas");
    await mkdir(folder);
    await mkdir(`${folder}2`);
    await callAtOnceBelow(folder);
    const order: string[] = [];
    await Promise.all([
      stat(`${folder}2`).then(() => order.push("beside")),
      stat(folder).then(() => order.push("in")),
      Promise.resolve().then(() => order.push("next")),
    ]);
    expect(order.at(-1)).toBe("beside");
  },
);

test("callAtOnceBelow() leaves timers and signals their turn, however many calls follow each other", async () => {
  const folder = await tempFolder();
  await callAtOnceBelow(folder);
  let fired = false;
  setTimeout(() => (fired = true), 1);
  for (let count = 0; !fired && count < 1e6; count++) await stat(folder);
  expect(fired).toBe(true);
});

test("callAtOnceBelow() of a folder that is not there leaves everything as it is", async () => {
  const folder = join(await tempFolder(), "none");
  await callAtOnceBelow(folder);
  await expect(stat(folder)).rejects.toMatchObject({ code: "ENOENT" });
});
