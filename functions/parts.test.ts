import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tempFolder } from "../shared/testing.ts";

const run = promisify(execFile);

/** A bundle of two parts; the second is loaded when it is asked for. */
async function bundleIn(folder: string): Promise<string> {
  const bundle = join(folder, "bundle");
  await mkdir(bundle);
  const parts = JSON.stringify(join(import.meta.dirname, "parts.ts"));
  await writeFile(
    join(bundle, "start.mjs"),
    `import { keptFolder, partsOf } from ${parts};
     partsOf(import.meta.dirname, keptFolder("bundle", process.argv[2]))("./main.cjs");`,
  );
  await writeFile(
    join(bundle, "main.cjs"),
    `const other = require("./other.cjs"), again = require("./other.cjs"), { sep } = require("node:path");
     function said() { return other.said + " in " + __dirname.split(sep).at(-1) + (other === again ? "" : " twice"); }
     console.log(said());
     process.exitCode = Number(process.env.STATUS ?? 0);`,
  );
  await writeFile(join(bundle, "other.cjs"), `exports.said = "hello";`);
  return bundle;
}

async function place() {
  const folder = await tempFolder();
  const bundle = await bundleIn(folder);
  const cache = join(folder, "cache");
  const description = join(folder, "run.json");
  await writeFile(description, JSON.stringify({ function: "backup-factorio" }));
  const kept = join(cache, "parts/bundle/backup-factorio");
  const start = async (env: Record<string, string> = {}) => {
    const options = { env: { ...process.env, NODE_COMPILE_CACHE: cache, ...env } };
    return (await run(process.execPath, [join(bundle, "start.mjs"), description], options)).stdout.trim();
  };
  const written = async () => (await stat(join(kept, "main.cjs"))).mtimeMs;
  return { cache, kept, description, start, written };
}

test("partsOf() loads each part once, and keeps what was compiled until two processes have added to it", async () => {
  const { kept, start, written } = await place();
  expect(await start()).toBe("hello in bundle");
  expect((await readdir(kept)).sort()).toEqual(["main.cjs", "other.cjs"]);
  expect((await readFile(join(kept, "main.cjs"))).at(-1)).toBe(1);
  expect(await start()).toBe("hello in bundle");
  expect((await readFile(join(kept, "main.cjs"))).at(-1)).toBe(2);
  const before = await written();
  expect(await start()).toBe("hello in bundle");
  expect(await written()).toBe(before);
});

test("partsOf() goes on without what it cannot use, and makes it anew", async () => {
  const { kept, start } = await place();
  await start();
  for (const damaged of ["", "no code at all\x02"]) {
    await writeFile(join(kept, "main.cjs"), damaged);
    expect(await start()).toBe("hello in bundle");
    expect((await readFile(join(kept, "main.cjs"))).length).toBeGreaterThan(100);
  }
});

test("partsOf() keeps nothing of a process that failed, nor without a place, nor of what is no run", async () => {
  const { cache, description, start } = await place();
  await start({ STATUS: "1" }).catch(() => {});
  expect(await start({ NODE_COMPILE_CACHE: "" })).toBe("hello in bundle");
  await writeFile(description, JSON.stringify({ function: "../../elsewhere" }));
  expect(await start()).toBe("hello in bundle");
  expect(await readdir(cache).catch(() => [])).not.toContain("parts");
});

test("partsOf() removes what was kept of older bundles", async () => {
  const { cache, start } = await place();
  await mkdir(join(cache, "parts/older/backup-factorio"), { recursive: true });
  await start();
  expect(await readdir(join(cache, "parts"))).toEqual(["bundle"]);
});
