import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readTree, tempFolder } from "../testing.ts";
import { readTar } from "./tar-read.ts";
import { type TarSource, tarOf } from "./tar-write.ts";
import { chunksOf, collect } from "./testing.ts";

const limits = { maxBytes: 1e15, maxEntries: 1000, name: "a.tar" };

function file(path: string, content: string | Buffer, changes: Partial<TarSource> = {}): TarSource {
  const bytes = Buffer.from(content);
  const sizeBytes = bytes.length;
  return {
    path,
    type: "file",
    sizeBytes,
    mtimeMs: 1_700_000_000_500,
    mode: 0o644,
    open: () => chunksOf(bytes, 100),
    ...changes,
  };
}
const folder = (path: string): TarSource => ({ path, type: "folder", sizeBytes: 0, mtimeMs: 0, mode: 0o755 });

async function read(tar: Buffer) {
  const entries: Record<string, unknown> = {};
  for await (const { bytes, path, ...rest } of readTar(chunksOf(tar, 700), limits)) {
    entries[path] = { ...rest, content: (await collect(bytes)).toString() };
  }
  return entries;
}

const long = `${"folder-with-a-name/".repeat(9)}${"file".repeat(50)}`;
const tree = {
  "World/main.ttw": "ttw",
  "World/Region/r.0.0.7rg": "x".repeat(1500),
  "World/empty": "",
  "World/ünïcode – 世界.txt": "unicode",
  [long]: "long",
  [`${"a".repeat(150)}/${"b".repeat(100)}`]: "fits name and prefix",
  [`${"a".repeat(156)}/b`]: "does not",
  ["n".repeat(255)]: "the longest",
};

test("tarOf() writes what tar, bsdtar and busybox unpack, long and foreign names too", async () => {
  const tar = await collect(tarOf([folder("World"), ...Object.entries(tree).map(([path, text]) => file(path, text))]));
  const source = join(await tempFolder(), "a.tar");
  await writeFile(source, tar);
  for (const program of [["tar"], ["bsdtar"], ["busybox", "tar"]].filter(isThere)) {
    const into = await tempFolder();
    // Without links, folders or a known user, it must ask for nothing.
    const [name, ...args] = program as [string, ...string[]];
    // Where the locale knows ASCII only, bsdtar unpacks foreign names too, but complains.
    const env = { ...process.env, LC_ALL: "C.UTF-8" };
    execFileSync(name, [...args, "-xf", source, "-C", into], { env, stdio: ["ignore", "ignore", "inherit"] });
    // busybox knows no pax names.
    const wanted = Object.entries(tree).filter(([path]) => name !== "busybox" || path.length < 100);
    const found = await readTree(into);
    for (const [path, text] of wanted)
      if (!/[^\x20-\x7e]/.test(path) || name !== "busybox") expect(found[path]).toBe(text);
    const { mtimeMs, mode } = await stat(join(into, "World/main.ttw"));
    expect([mtimeMs, mode & 0o777]).toEqual([1_700_000_000_000, 0o644]);
  }
});

test("tarOf() and readTar() give back the same entries, whatever the names, contents and times", async () => {
  const name = fc.string({
    unit: fc.constantFrom("a", "b", "C", "ü", "世", " ", ".", "-", "😀"),
    minLength: 1,
    maxLength: 60,
  });
  const path = fc
    .array(
      name.filter((part) => part !== "." && part !== ".."),
      { minLength: 1, maxLength: 5 },
    )
    .map((parts) => parts.join("/"));
  const entry = fc.record({
    path,
    content: fc.string({ maxLength: 1300 }),
    mtimeMs: fc.integer({ min: -1e12, max: 1e14 }),
    mode: fc.integer({ min: 0, max: 0o7777 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (entries) => {
      const rule = { names: "exact" } as const;
      const tar = await collect(
        tarOf(
          entries.map(({ path, content, ...rest }) => file(path, content, rest)),
          rule,
        ),
      ).catch((error) => {
        expect(error.code).toBe("source_invalid");
      });
      if (!tar) return;
      expect(tar.length % 512).toBe(0);
      const found: unknown[] = [];
      for await (const { bytes, path, mtimeMs, mode } of readTar(chunksOf(tar, 300), { ...limits, ...rule })) {
        found.push({ path, content: (await collect(bytes)).toString(), mtimeMs, mode });
      }
      expect(found).toEqual(
        entries.map((wanted) => ({
          ...wanted,
          content: Buffer.from(wanted.content).toString(),
          mtimeMs: Math.floor(wanted.mtimeMs / 1000) * 1000,
          mode: wanted.mode & 0o777,
        })),
      );
    }),
    { numRuns: 100 },
  );
});

test("tarOf() gives the same bytes for the same entries, and says nothing of who made them", async () => {
  const make = (chunk: number) =>
    collect(tarOf([folder("w"), file("w/a", "a".repeat(900), { open: () => chunksOf(Buffer.alloc(900, 97), chunk) })]));
  const [one, other] = await Promise.all([make(7), make(900)]);
  expect(one.equals(other)).toBe(true);
  expect(one.toString("latin1", 108, 124)).toBe("0000000\x000000000\0");
  expect(one.toString("latin1", 265, 345)).toBe("\0".repeat(80));
});

test("tarOf() writes sizes over 8 GiB, which pax and GNU tar read the same way", async () => {
  const sizeBytes = 9 * 2 ** 30;
  const headers: Buffer[] = [];
  for await (const part of tarOf([file("big", "", { sizeBytes, open: () => chunksOf(Buffer.alloc(1)) })])) {
    headers.push(Buffer.from(part));
    break;
  }
  for await (const entry of readTar(chunksOf(Buffer.concat(headers)), limits)) {
    expect(entry).toMatchObject({ path: "big", sizeBytes });
    break;
  }
  const source = join(await tempFolder(), "big.tar");
  await writeFile(source, Buffer.concat(headers));
  const listed = execFileSync("sh", ["-c", 'tar -tvf "$0" 2>/dev/null || true', source]).toString();
  expect(listed).toContain(String(sizeBytes));
});

test("tarOf() notices a file that gives fewer or more bytes than it said", async () => {
  for (const sizeBytes of [4, 6]) {
    await expect(collect(tarOf([file("a", "12345", { sizeBytes })]))).rejects.toMatchObject({
      code: "source_changing",
    });
  }
  const nothing: TarSource = { path: "a", type: "file", sizeBytes: 1, mtimeMs: 0, mode: 0 };
  await expect(collect(tarOf([nothing]))).rejects.toMatchObject({ code: "source_changing" });
});

test("tarOf() refuses names that could not be put back, and names that are there twice", async () => {
  const bad = ["", "/a", "a/../b", "a//b", "./a", "a\\b", "a\nb", "a\0b", "x".repeat(256), `${"a/".repeat(2100)}a`];
  for (const path of bad) {
    await expect(collect(tarOf([file(path, "")]))).rejects.toMatchObject({ code: "source_invalid" });
  }
  for (const paths of [["a", "a"], ["a", "A"], ["a", "a/b"], ["a/b", "a"], ["é", "e\u0301"], ["A/b", "a/c"]]) {
    await expect(collect(tarOf(paths.map((path) => file(path, ""))))).rejects.toMatchObject({ code: "source_invalid" });
  } // biome-ignore format: a table
  const both = await collect(tarOf([file("a", "1"), file("A", "2")], { names: "exact" }));
  expect(both.length).toBe(512 * 6);
});

test("tarOf() drops what a mode says beyond reading, writing and executing", async () => {
  const entries = await read(await collect(tarOf([file("a", "", { mode: 0o104755 }), folder("b")])));
  expect(entries).toMatchObject({ a: { mode: 0o755 }, b: { mode: 0o755, type: "folder" } });
});

test("tarOf() that is left closes the file it reads", async () => {
  let closed = false;
  const open = async function* () {
    try {
      for (;;) yield Buffer.alloc(10);
    } finally {
      closed = true;
    }
  };
  for await (const part of tarOf([file("a", "", { sizeBytes: 1000, open })])) if (part.length === 10) break;
  expect(closed).toBe(true);
});

test("a tree is packed and unpacked by tar as it was", async () => {
  const into = await tempFolder();
  await mkdir(join(into, "out"));
  await writeFile(join(into, "a.tar"), await collect(tarOf([folder("w"), file("w/a", "1"), folder("w/empty")])));
  execFileSync("tar", ["-xf", join(into, "a.tar"), "-C", join(into, "out")]);
  expect((await readdir(join(into, "out/w"))).toSorted()).toEqual(["a", "empty"]);
  expect(await readFile(join(into, "out/w/a"), "utf8")).toBe("1");
});

function isThere([name, ...args]: string[]): boolean {
  try {
    execFileSync(name as string, [...args, "--help"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
