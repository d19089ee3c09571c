import { execFileSync } from "node:child_process";
import { appendFile, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder, writeTree } from "../testing.ts";
import { gunzipBlocks } from "./gzip.ts";
import { readTar, type TarLimits } from "./tar-read.ts";
import { chunksOf, collect, endOfTar, rawEntry, rawLongName, rawPax, rawTar } from "./testing.ts";

const limits: TarLimits = { maxBytes: 1 << 30, maxEntries: 1000, name: "a.tar" };

async function read(tar: Buffer, changes: Partial<TarLimits> = {}) {
  const entries: Record<string, string> = {};
  for await (const { path, type, bytes } of readTar(chunksOf(tar, 1300), { ...limits, ...changes })) {
    entries[type === "folder" ? `${path}/` : path] = (await collect(bytes)).toString();
  }
  return entries;
}
const expectHostile = (tar: Buffer, message: string | RegExp, changes: Partial<TarLimits> = {}) =>
  expect(read(tar, changes)).rejects.toMatchObject({ code: "backup_hostile", message: expect.stringMatching(message) });

const name260 = "f".repeat(255);
const deep = `${"d".repeat(120)}/${"e".repeat(120)}/${"f".repeat(120)}`;
const tree = {
  "World/main.ttw": "ttw",
  "World/Region/r.0.0.7rg": "x".repeat(5000),
  "World/empty.dat": "",
  "World/Spielstände – 世界.txt": "unicode",
  [`World/${deep}`]: "deep",
  [`World/${name260}`]: "long",
};

async function sourceTree(): Promise<string> {
  const folder = await tempFolder();
  await writeTree(folder, tree);
  await mkdir(join(folder, "World/void"));
  return folder;
}

const writers: Record<string, string> = {
  "tar czf of the incumbent": 'tar -czf "$1" -C "$0" World',
  'tar of "."': 'tar -czf "$1" -C "$0" .',
  "tar --format=posix": 'tar --format=posix -czf "$1" -C "$0" World',
  "tar --format=ustar, what fits": `tar --format=ustar -czf "$1" -C "$0" --exclude=${name260} --exclude="d*" World`,
  bsdtar: 'bsdtar -czf "$1" -C "$0" World',
  'bsdtar of "./World"': 'bsdtar -czf "$1" -C "$0" ./World',
  "bsdtar --format=gnutar": 'bsdtar --format=gnutar -czf "$1" -C "$0" World',
  busybox: 'cd "$0" && busybox tar -czf "$1" World',
};

test.each(Object.keys(writers))("readTar() reads what it was given by %s", async (writer) => {
  const source = await sourceTree();
  const file = join(await tempFolder(), "a.tar.gz");
  const env = { ...process.env, LC_ALL: "C.UTF-8" };
  try {
    execFileSync("sh", ["-c", writers[writer] as string, source, file], { stdio: "pipe", env });
  } catch (error) {
    const { stderr, status } = error as { stderr: Buffer; status: number };
    if (status === 127 || /not found/.test(String(stderr))) return console.log(`skipped: no ${writer} here`);
    throw error;
  }
  const packed = execFileSync("cat", [file]);
  const entries: Record<string, string> = {};
  for await (const entry of readTar(gunzipBlocks(chunksOf(packed), limits), limits)) {
    entries[entry.type === "folder" ? `${entry.path}/` : entry.path] = (await collect(entry.bytes)).toString();
  }
  for (const [path, text] of Object.entries(tree)) {
    if (!writer.includes("ustar,") || (!path.includes(name260) && !path.includes("ddd")))
      expect(entries[path]).toBe(text);
  }
  expect(entries["World/"]).toBe("");
  expect(entries["World/void/"]).toBe("");
  expect(Object.keys(entries)).not.toContain("./");
});

test("readTar() gives times and modes, without setuid, setgid and sticky", async () => {
  const tar = rawTar(
    rawPax([["mtime", "1700000000.25"]]),
    { name: "a", mode: 0o6755 },
    { name: "b/", type: "5", mode: 0o1777 },
  );
  const entries = [];
  for await (const { bytes: _, ...entry } of readTar(chunksOf(tar), limits)) entries.push(entry);
  expect(entries).toEqual([
    { path: "a", type: "file", sizeBytes: 0, mtimeMs: 1_700_000_000_250, mode: 0o755 },
    { path: "b", type: "folder", sizeBytes: 0, mtimeMs: 0, mode: 0o777 },
  ]);
});

test("readTar() skips content that is not read, or only begun", async () => {
  const tar = rawTar(
    { name: "a", content: "1".repeat(3000) },
    { name: "b", content: "2".repeat(3000) },
    { name: "c", content: "3" },
  );
  const paths: string[] = [];
  for await (const { path, bytes } of readTar(chunksOf(tar, 700), limits)) {
    paths.push(path);
    if (path === "b") for await (const _ of bytes) break;
    if (path === "c") expect((await collect(bytes)).toString()).toBe("3");
  }
  expect(paths).toEqual(["a", "b", "c"]);
});

const hostileNames: readonly (readonly [string, string])[] = [
  ["/etc/passwd", "absolute"],
  ["//etc/passwd", "absolute"],
  ["../evil", '"\\.\\."'],
  ["a/../../evil", '"\\.\\."'],
  ["a/..", '"\\.\\."'],
  ["..", '"\\.\\."'],
  ["./../evil", '"\\.\\."'],
  ["a//b", "empty part"],
  ["a/./b", "empty part"],
  ["././a", "empty part"],
  [".//a", "absolute"],
  ["a\\..\\..\\evil", "\\\\"],
  ["C:\\evil", "\\\\"],
  ["a\nb", "control"],
  ["a\x1b[2Jb", "control"],
  ["a\x7f", "control"],
  ["a\u0085b", "control"],
  ["x".repeat(256), "255"],
  [`${"a/".repeat(2100)}a`, "4096"],
];

test.each(hostileNames.map(([name, why]) => [name.slice(0, 30), name, why] as const))(
  "readTar() refuses the name %j, however it is written",
  async (_, name, why) => {
    if (Buffer.byteLength(name) <= 100) await expectHostile(rawTar({ name }), why);
    if (name.includes("/") && dirname(name).length <= 150) {
      const slash = name.lastIndexOf("/");
      if (slash > 0) await expectHostile(rawTar({ prefix: name.slice(0, slash), name: name.slice(slash + 1) }), why);
    }
    await expectHostile(rawTar(rawLongName(name), { name: "harmless" }), why);
    await expectHostile(rawTar(rawPax([["path", name]]), { name: "harmless" }), why);
    await expectHostile(rawTar(rawPax([["path", `${name}/`]]), { name: "harmless", type: "5" }), why);
  },
);

test("readTar() refuses names that are empty, no UTF-8, or hold a zero byte", async () => {
  await expectHostile(rawTar({ name: "" }), "empty");
  await expectHostile(rawTar({ name: Buffer.from([0x61, 0xff, 0xfe]) }), "UTF-8");
  await expectHostile(rawTar(rawPax([["path", Buffer.from([0xc0, 0xaf])]]), { name: "a" }), "UTF-8");
  await expectHostile(rawTar(rawPax([["path", "a\0b"]]), { name: "a" }), "control");
  await expectHostile(rawTar(rawLongName("a\0../../evil"), { name: "a" }), "control|\\.\\.");
  await expectHostile(rawTar(rawLongName(Buffer.from([0xff])), { name: "a" }), "UTF-8");
  await expectHostile(rawTar(rawPax([["hdrcharset", "BINARY"]]), { name: "a" }), "character set");
});

test.each([
  ["1", "hard link"],
  ["2", "symbolic link"],
  ["3", "device"],
  ["4", "device"],
  ["6", "pipe"],
  ["7", "type"],
  ["S", "sparse"],
  ["K", "link"],
  ["M", "type"],
  ["D", "type"],
  ["V", "type"],
  ["N", "type"],
  ["A", "type"],
  ["Z", "type"],
  ["\xff", "type"],
])("readTar() refuses entries of type %j", async (type, why) => {
  await expectHostile(rawTar({ name: "ok" }, { name: "evil", type, linkName: "/etc/passwd" }), `"evil".*${why}`);
});

test("readTar() refuses links that real tar writes, also one that a later entry would go through", async () => {
  const folder = await tempFolder();
  await symlink("/etc", join(folder, "link"));
  await writeFile(join(folder, "a"), "x");
  execFileSync("ln", [join(folder, "a"), join(folder, "b")]);
  for (const names of [["link"], ["a", "b"]]) {
    const tar = execFileSync("tar", ["-cf", "-", "-C", folder, ...names]);
    await expectHostile(tar, "link");
  }
  await expectHostile(rawTar({ name: "d", type: "2", linkName: "/etc" }, { name: "d/passwd", content: "x" }), "link");
  await expectHostile(rawTar(rawPax([["linkpath", "/etc/passwd"]]), { name: "a" }), "link");
});

test("readTar() refuses sparse files, whoever wrote them", async () => {
  for (const key of ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.name", "SCHILY.realsize", "SUN.holesdata"]) {
    await expectHostile(rawTar(rawPax([[key, "1"]]), { name: "a" }), "sparse");
    await expectHostile(rawTar(rawPax([[key, "1"]], "g"), { name: "a" }), "sparse");
  }
  const file = join(await tempFolder(), "sparse");
  await writeFile(file, "");
  await truncate(file, 1 << 20);
  await appendFile(file, "x");
  for (const format of ["gnu", "posix"]) {
    const tar = execFileSync("tar", [`--format=${format}`, "-cSf", "-", "-C", dirname(file), "sparse"]);
    await expectHostile(tar, "sparse");
  }
});

const collisions: readonly (readonly string[])[] = [
  ["a", "a"],
  ["a", "./a"],
  ["a/", "a/"],
  ["save", "SAVE"],
  ["World/a", "world/b"],
  ["World/", "world/"],
  ["é", "e\u0301"],
  ["ß", "SS"],
  ["Σ", "ς"],
  ["\u212a", "k"],
  ["a", "a/b"],
  ["a/b", "a"],
  ["a", "A/b"],
  ["A/b", "a"],
  ["a", "a/"],
  ["a/", "a"],
  ["a/b/c", "a/b"],
];

test.each(collisions)("readTar() refuses %j beside %j", async (one, other) => {
  const entry = (name: string) => ({ name, type: name.endsWith("/") ? "5" : "0" });
  await expectHostile(rawTar(entry(one), { name: "between" }, entry(other)), "is wanted|already");
});

test("readTar() tells names that differ in case only apart when it is told so, and still refuses twice the same", async () => {
  expect(await read(rawTar({ name: "a", content: "1" }, { name: "A", content: "2" }), { names: "exact" })).toEqual({
    a: "1",
    A: "2",
  });
  await expectHostile(rawTar({ name: "a" }, { name: "a" }), "twice", { names: "exact" });
  await expectHostile(rawTar({ name: "a" }, { name: "a/b" }), "file already", { names: "exact" });
});

test("readTar() takes a folder that is named after something in it", async () => {
  expect(
    await read(rawTar({ name: "a/b/c", content: "1" }, { name: "a/b/", type: "5" }, { name: "a/", type: "5" })),
  ).toEqual({
    "a/b/c": "1",
    "a/b/": "",
    "a/": "",
  });
});

test("readTar() refuses more than its limits allow, before it reads it", async () => {
  const many = rawTar(...Array.from({ length: 11 }, (_, n) => ({ name: `f${n}` })));
  await expectHostile(many, "at most 10 entries", { maxEntries: 10 });
  expect(Object.keys(await read(many, { maxEntries: 11 }))).toHaveLength(11);
  const large = rawTar({ name: "a", content: "x".repeat(600) }, { name: "b", content: "x".repeat(600) });
  await expectHostile(large, '"b".*at most 1199 bytes', { maxBytes: 1199 });
  await expectHostile(rawTar({ name: "a", size: "77777777777\0" }), "at most", { maxBytes: 1 << 20 });
  await expectHostile(rawTar({ name: "a", type: "x", size: 2 << 20 }), "extended header");
  // A few entries that ask for many folders, and for their names in memory.
  await expectHostile(rawTar({ name: `${"a/".repeat(12)}a` }), "at most 10 files and folders", { maxEntries: 10 });
  const deep = Array.from({ length: 20 }, (_, n) => [rawLongName(`${n}/${"a/".repeat(2000)}a`), rawEntry({})]).flat();
  await expectHostile(rawTar(...deep), "letters", { maxEntries: 1e6 });
  // A root folder does not give its entry back.
  await expectHostile(rawTar({ name: "./", type: "5" }, { name: "./", type: "5" }), "at most 1 ", { maxEntries: 1 });
});

test("readTar() refuses sizes that lie", async () => {
  await expectHostile(rawTar(rawPax([["size", "512"]]), { name: "a", content: "" }), "one size");
  await expectHostile(rawTar(rawPax([["size", "0"]]), { name: "a", content: "evil" }), "one size");
  await expectHostile(rawTar({ name: "d/", type: "5", content: "hidden" }), "without content");
  await expectHostile(rawTar(rawPax([["size", "-1"]]), { name: "a" }), "size");
  await expectHostile(rawTar(rawPax([["size", "1e3"]]), { name: "a" }), "size");
  const negative = Buffer.alloc(12, 0xff).toString("latin1");
  for (const size of [negative, "not octal!!\0", "99999999999\0"]) {
    await expect(read(rawTar({ name: "a", size: size === negative ? "\xff" : size }))).rejects.toMatchObject({
      code: "backup_damaged",
    });
  }
});

test("readTar() refuses extended headers that readers understand in different ways", async () => {
  const a = { name: "a" };
  await expectHostile(rawTar(rawPax([["path", "b"]]), rawPax([["path", "c"]]), a), "one extended header");
  await expectHostile(rawTar(rawLongName("b"), rawLongName("c"), a), "one extended header");
  await expectHostile(rawTar(rawLongName("b"), rawPax([["mtime", "1"]]), a), "one extended header");
  await expectHostile(rawTar(rawPax([["path", "b"]], "g"), a), "for all");
  const damaged: Buffer[] = [
    rawPax([["path", "b"], ["path", "c"]]),
    rawEntry({ type: "x", content: "99 path=b\n" }),
    rawEntry({ type: "x", content: "9 path=bb" }),
    rawEntry({ type: "x", content: "-9 path=b\n" }),
    rawEntry({ type: "x", content: "0 \n" }),
    rawEntry({ type: "x", content: "4 =\n" }),
    rawEntry({ type: "x", content: "5 ab\n" }),
  ]; // biome-ignore format: a table
  for (const header of damaged) {
    await expect(read(rawTar(header, a))).rejects.toMatchObject({
      code: expect.stringMatching(/^backup_(damaged|hostile)$/),
    });
  }
  expect(
    await read(
      rawTar(
        rawPax(
          [
            ["comment", "harmless"],
            ["SCHILY.xattr.user.x", "y"],
          ],
          "g",
        ),
        a,
      ),
    ),
  ).toEqual({ a: "" });
});

test("readTar() notices a header that was damaged, at every byte", async () => {
  const tar = rawTar({ name: "a", content: "x" });
  for (let at = 0; at < 512; at += 1) {
    const damaged = Buffer.from(tar);
    damaged[at] = (damaged[at] as number) ^ 1;
    await expect(read(damaged)).rejects.toMatchObject({
      code: "backup_damaged",
      message: expect.stringContaining("byte 0,"),
    });
  }
});

test("readTar() notices the end that is missing, wherever the archive ends", async () => {
  const tar = rawTar(rawPax([["mtime", "5"]]), { name: "a", content: "xyz" }, { name: "b", type: "5" });
  for (let length = 0; length < tar.length; length += 1) {
    await expect(read(tar.subarray(0, length))).rejects.toMatchObject({
      code: "backup_damaged",
      message: expect.stringContaining('"a.tar"'),
    });
  }
  expect(await read(tar)).toEqual({ a: "xyz", "b/": "" });
});

test("readTar() refuses data after the end, and takes the zeros that tar pads with", async () => {
  const tar = rawTar({ name: "a", content: "x" });
  expect(await read(Buffer.concat([tar, Buffer.alloc(7 * 512)]))).toEqual({ a: "x" });
  for (const more of [
    Buffer.from("x"),
    rawTar({ name: "b" }),
    Buffer.concat([Buffer.alloc(70_000), Buffer.from([1])]),
  ]) {
    await expect(read(Buffer.concat([tar, more]))).rejects.toMatchObject({ code: "backup_damaged" });
  }
  const half = Buffer.concat([rawEntry({ name: "a" }), Buffer.alloc(512), rawEntry({ name: "b" }), endOfTar]);
  await expect(read(half)).rejects.toMatchObject({ code: "backup_damaged" });
  await expect(read(Buffer.concat([rawLongName("a"), endOfTar]))).rejects.toMatchObject({ code: "backup_damaged" });
});

test("readTar() says of what is no archive that it is none", async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("hello"), Buffer.alloc(2000, 7)]) {
    await expect(read(bytes)).rejects.toMatchObject({ code: "backup_damaged", hint: expect.any(String) });
  }
  expect(await read(endOfTar)).toEqual({});
});

test("readTar() names entries in messages so that a terminal shows them harmlessly", async () => {
  const error = await read(rawTar({ name: "a\x1b]0;owned\x07" })).catch((thrown) => thrown);
  expect(error.message).toContain("a\\u001b]0;owned\\u0007");
  expect(error.message).not.toMatch(/[\x00-\x1f]/);
});

test("readTar() ends when it is cancelled, and closes its source", async () => {
  let closed = false;
  const cancel = new AbortController();
  const source = (async function* () {
    try {
      for (;;) yield rawEntry({ name: "a", content: "x".repeat(1 << 16), size: 1 << 24 });
    } finally {
      closed = true;
    }
  })();
  const run = async () => {
    for await (const entry of readTar(source, { ...limits, signal: cancel.signal })) {
      for await (const _ of entry.bytes) cancel.abort();
    }
  };
  await expect(run()).rejects.toMatchObject({ name: "AbortError" });
  expect(closed).toBe(true);
});
