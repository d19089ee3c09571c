import { execFile } from "node:child_process";
import { readdir, readFile, realpath } from "node:fs/promises";
import { join, normalize } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { tempFolder } from "../../shared/testing.ts";
import { isForTests, kept } from "./contents.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

test("assemble() makes a folder that runs without any package, with no test in it", async () => {
  const folder = join(await tempFolder(), "app");
  await run(process.execPath, [join(root, "deploy/image/assemble.ts"), folder]);
  const files = await readdir(folder, { recursive: true });
  expect(files.filter(isForTests)).toEqual([]);
  expect(files.filter((file) => /(^|\/)node_modules(\/|$)/.test(file))).toEqual([]);
  const started = run(process.execPath, [join(folder, "keepsake.cjs"), "run"], { cwd: folder, env: {} });
  await expect(started).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("Usage: ") });
});

test("the list of packages has a line each, with alternatives that Debian itself has", async () => {
  const lines = (await readFile(join(root, "deploy/image/packages"), "utf8")).split("\n").filter((line) => line !== "");
  for (const line of lines) expect(line).toMatch(/^#|^[a-z0-9.+-]+(?: \| [a-z0-9.+-]+)*$/);
});

interface StackFile {
  configuration: { copy: string[] };
  functions: Record<string, { lang?: string; handler?: string; skip_build?: boolean; image: string }>;
}
const text = (path: string) => readFile(join(root, path), "utf8");
const stackFile = async (): Promise<StackFile> => parse(await text("stack.yml"));

test("faas-cli and docker build are given the same files, by the lists in stack.yml and .dockerignore", async () => {
  const { configuration, functions } = await stackFile();
  const [built, ...others] = Object.values(functions).filter((fn) => !fn.skip_build);
  expect(others).toEqual([]);
  expect(built?.lang).toBe("dockerfile");
  // The one file that stands in the handler's folder is the Dockerfile.
  const handler = join(root, built?.handler ?? "");
  expect(await readdir(handler)).toEqual(["Dockerfile"]);
  expect(await realpath(join(handler, "Dockerfile"))).toBe(join(root, "Dockerfile"));
  const copied = ["Dockerfile", ...configuration.copy.map((path) => normalize(path))].sort();
  const ignored = (await text(".dockerignore")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(ignored).toEqual(["*", ...copied.map((path) => `!${path}`)]);
  for (const path of kept) expect(copied).toContain(path);
  // Without it faas-cli looks for a template elsewhere.
  expect(parse(await text("template/dockerfile/template.yml"))).toMatchObject({ language: "dockerfile" });
  const images = new Set(Object.values(functions).map(({ image }) => image));
  expect(images.size).toBe(1);
});

test("the Dockerfile makes the image by the same script and list, of what it is given, for a user who may do nothing", async () => {
  const { configuration } = await stackFile();
  const given = configuration.copy.map((path) => normalize(path));
  const lines = (await text("Dockerfile")).split("\n").filter((line) => /^[A-Z]/.test(line));
  expect(lines.filter((line) => line.startsWith("RUN "))).toEqual([
    "RUN npm ci --no-audit --no-fund && node deploy/image/assemble.ts /app",
    "RUN sh /tmp/image/add-packages.sh && rm -r /tmp/image",
  ]);
  for (const line of lines.filter((one) => one.startsWith("COPY ") && !one.includes("--from="))) {
    const sources = line.split(" ").slice(1, -1);
    for (const source of sources) {
      expect(source === "." || given.some((path) => `${source}/`.startsWith(`${path}/`)), line).toBe(true);
    }
  }
  expect(lines.filter((line) => line.startsWith("FROM ")).every((line) => / node:24[a-z-]*-slim\b/.test(line))).toBe(
    true,
  );
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  expect(last).toContain("COPY --from=assembled /app /app");
  expect(last).toContain("USER 1000:1000");
  expect(last.slice(-2)).toEqual([
    'ENTRYPOINT ["node", "--max-semi-space-size=1", "/app/keepsake.cjs"]',
    'CMD ["serve"]',
  ]);
});
