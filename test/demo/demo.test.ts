import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { FakeTerminal } from "../../deploy/cli/testing/fake-terminal.ts";
import { claimFolder } from "../../deploy/local/demo/claim.ts";
import { factorioLab } from "../../deploy/local/demo/factorio-lab.ts";
import { startDemoGateway } from "../../deploy/local/demo/gateway.ts";
import { type LabApp, labApps, placesIn } from "../../deploy/local/demo/lab.ts";
import { makeLab } from "../../deploy/local/demo/make-lab.ts";
import { createScreen } from "../../deploy/local/demo/screen.ts";
import { tellStory } from "../../deploy/local/demo/story.ts";
import { linesOfBlock } from "../readme/blocks.ts";
import { differences } from "./asked-tree.ts";

const clone = join(import.meta.dirname, "../..");
const titles = ["7 Days to Die", "Factorio", "Mapshot", "PostgreSQL", "Open WebUI", "Ollama"];
let folder: string;
let lab: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-demo-"));
  lab = join(folder, "homelab");
});

afterAll(async () => {
  for (const app of labApps(lab)) {
    await app.stop();
    await app.remove();
  }
  await rm(folder, { recursive: true });
});

const env = () => ({ ...process.env, KEEPSAKE_CLONE: folder, TZ: "Europe/Berlin", FORCE_COLOR: "0" });

function start(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [join(clone, "deploy/local/demo", script), ...args], {
    cwd: folder,
    env: env(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, exit: once(child, "exit") as Promise<[number | null]> };
}

/** @returns What was printed until a line says this. */
async function until(output: AsyncIterable<Buffer>, wanted: string): Promise<string> {
  let said = "";
  for await (const chunk of output) {
    said += chunk;
    if (said.includes(wanted)) return said;
  }
  throw new Error(`"${wanted}" was not said, but:\n${said}`);
}

const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });

/** Of the lab's servers, as its settings have them. */
async function ports(): Promise<number[]> {
  const { apps } = parse(await readFile(placesIn(lab).config, "utf8"));
  const ollama = Number(await readFile(join(lab, "ollama/port"), "utf8"));
  return [apps.sdtd.telnet.port, apps.factorio.rcon.port, apps.postgresql.port, ollama];
}

/** What is left of a line when times, sizes, sums and places are taken out. */
const shape = (line: string) =>
  line
    .replaceAll(/\/\S+\/homelab\b/g, "homelab")
    .replaceAll(/\((moments|\d+ (s|min|h))\)/g, "(#)")
    .replaceAll(/\b(d|viewer)-[0-9a-f]{8}/g, "$1-#")
    .replaceAll(/\b[0-9a-f]{8}…/g, "#…")
    .replaceAll(/keepsake-[0-9a-f]{12}/g, "keepsake-#")
    .replaceAll(/\d{8}[-_]\d{6}/g, "#")
    .replaceAll(/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b/g, "Day")
    .replaceAll(/\d[\d.:]*( min \d+)?( (B|kB|MB|GB|s|min|h|days))?\b/g, "#")
    .replaceAll(/\s+/g, " ")
    .trim();

test("make demo backs up, finds nothing changed, destroys, restores, compares, and leaves no server behind", async () => {
  const { child, exit } = start("main.ts", "--folder", lab);
  const [said, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(await exit, said + complaints).toEqual([0, null]);
  expect(complaints).toBe("");

  const created = /^ +(\S.*?) +created +[\d.]+ MB in [\d.]+ s +sha256 [0-9a-f]{8}….* +→ \S+\/.*$/gm;
  expect([...said.matchAll(created)].map(([, title]) => title)).toEqual(titles);
  const unchanged = /^ +(\S.*?) +unchanged +in [\d.]+ s\b/gm;
  expect([...said.matchAll(unchanged)].map(([, title]) => title)).toEqual(titles);
  expect(said).toMatch(/Factorio +rm -r \S+saves\n/);
  expect(said).toMatch(/PostgreSQL +DROP DATABASE shared/);
  expect(said).toContain("6 apps: 6 restored\n");
  expect([...said.matchAll(/^ +(\S.*?) +identical {2}/gm)].map(([, title]) => title)).toEqual(titles);
  expect(said).not.toContain("DIFFERENT");
  expect(said).toMatch(/Everything came back as it was\. That took \d/);
  expect(said).toMatch(/make up .*\n.*\n +make list-factorio .*\n +make restore-factorio AT='\w{3} \d\d:\d\d'/);

  // The NAS is the tree that was asked for, line by line, and one model of another registry.
  const tree = said.slice(said.indexOf("5. What a Mac sees")).split("\n");
  const { extra, missing } = differences(tree.map((line) => line.slice(3)));
  expect(missing).toEqual([]);
  expect(extra).toEqual([expect.stringMatching(/^ollama\/backups\/models\/manifests\/hf\.co\//)]);
  const names = async (...path: string[]) => (await readdir(join(lab, "nas", ...path))).sort();
  expect(await names("postgresql/backups/history")).toEqual([
    expect.stringMatching(/^postgresql_\d{8}_\d{6}\.sql\.gz$/),
  ]);
  expect(await names("sdtd/backups/history")).toEqual([
    expect.stringMatching(/^7dtd-West Wikibi Territory-\d{8}-\d{6}-world\.tar\.gz$/),
    expect.stringMatching(/^7dtd-West Wikibi Territory-\d{8}-\d{6}\.tar\.gz$/),
  ]);
  for (const port of await ports()) expect(await listens(port)).toBe(false);

  // The README shows what it prints, a few lines left out.
  const shapes = said.split("\n").map(shape);
  let at = -1;
  for (const line of await linesOfBlock("This is what `make demo` prints")) {
    if (line.trim() === "" || line.trim() === "…") continue;
    const next = shapes.indexOf(shape(line), at + 1);
    expect(next, `the README's line, in its place: ${line}\n${said}`).toBeGreaterThan(at);
    at = next;
  }
}, 600_000);

test("make up serves the lab right after it, its servers running, and stops them at the end", async () => {
  const { child, exit } = start("up.ts", "--config", placesIn(lab).config, "--port", "0");
  const said = await until(child.stdout, "Ctrl-C ends it");
  expect(said).toContain("PostgreSQL server runs");
  for (const port of await ports()) expect(await listens(port)).toBe(true);

  const cli = spawn(process.execPath, [join(clone, "deploy/cli/main.ts"), "list", "factorio"], {
    env: {
      ...env(),
      KEEPSAKE_CLONE: clone,
      GATEWAY: JSON.parse(await readFile(join(lab, "state/gateway.json"), "utf8")).url,
    },
  });
  expect(await text(cli.stdout)).toMatch(/^You can go back to \w{3} \d\d:\d\d/);

  const demo = start("main.ts", "--folder", lab);
  expect(await text(demo.child.stderr)).toMatch(/a gateway serves it at http.*\n.*Ctrl-C.*kill \d+/);
  expect(await demo.exit).toEqual([1, null]);

  child.kill("SIGINT");
  expect(await exit).toEqual([0, null]);
  for (const port of await ports()) expect(await listens(port)).toBe(false);
});

test("make demo makes the lab anew, says so, and cleans up when it is interrupted", async () => {
  const { child, exit } = start("main.ts", "--folder", lab);
  const said = await until(child.stdout, "\n2. ");
  expect(said).toMatch(/Removing what an earlier demo left in \S+, its backups too/);
  for (const port of await ports()) expect(await listens(port)).toBe(true);
  child.kill("SIGINT");
  expect(await exit).toEqual([130, null]);
  for (const port of await ports()) expect(await listens(port)).toBe(false);
  expect(await readdir(join(lab, "state"))).not.toContain("gateway.json");
});

test("make demo never touches a folder that it did not make", async () => {
  const mine = join(folder, "mine");
  await mkdir(mine);
  await writeFile(join(mine, "precious"), "x");
  const { child, exit } = start("main.ts", "--folder", mine);
  expect(await text(child.stderr)).toMatch(/holds something that is not the demo's\n +Move it away.*mv /);
  expect(await exit).toEqual([1, null]);
  expect(await readdir(mine)).toEqual(["precious"]);
});

test("make up without a lab says what to type", async () => {
  const { child, exit } = start("up.ts", "--config", "nowhere/keepsake.yaml");
  expect(await text(child.stderr)).toMatch(/"nowhere\/keepsake\.yaml"\n.*make demo.*make up CONFIG=/);
  expect(await exit).toEqual([1, null]);
});

test("make up over a configuration of one's own leads make to its gateway", async () => {
  const config = join(folder, "own.yaml");
  await writeFile(config, "nas: ./own-nas\nstate: ./own-state\nsecrets: ./own-secrets\napps: {}\n");
  const { child, exit } = start("up.ts", "--config", config, "--port", "0");
  const said = await until(child.stdout, "Ctrl-C ends it");
  expect(said).not.toContain("The lab's");
  const { url } = JSON.parse(await readFile(join(folder, "build/gateway.json"), "utf8"));
  expect(said).toContain(`listens on ${url}\n`);
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  await expect(readFile(join(folder, "build/gateway.json"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("tellStory() fails when one restored bit is not what it was", async () => {
  const root = join(folder, "tampered");
  const honest = factorioLab(root);
  let looks = 0;
  const apps: LabApp[] = [
    {
      ...honest,
      async content() {
        if (++looks === 2) {
          const save = join(root, "factorio/saves/homelab.zip");
          const bytes = await readFile(save);
          bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
          await writeFile(save, bytes);
        }
        return honest.content();
      },
    },
  ];
  const terminal = new FakeTerminal(false);
  const screen = createScreen(terminal);
  await claimFolder(root, apps, screen.say);
  try {
    await makeLab(root, apps, screen.say);
    const gateway = await startDemoGateway(root);
    try {
      expect(await tellStory(apps, gateway, screen)).toBe(false);
    } finally {
      await gateway.stop();
    }
  } finally {
    await honest.stop();
  }
  const said = terminal.stdout.join("\n");
  expect(said).toMatch(/Factorio +restored/);
  expect(said).toMatch(
    /DIFFERENT +newest save homelab\.zip: \d+ bytes, sha256 \w{64} is wanted, is \d+ bytes, sha256 \w{64}/,
  );
  expect(said).not.toContain("identical");
});
