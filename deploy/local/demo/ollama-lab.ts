import { execFile } from "node:child_process";
import { readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sha256Of } from "../../../shared/nas/publish.ts";
import { formatBytes } from "../../../shared/words.ts";
import { freePort } from "../lab/free-port.ts";
import { beginPull, labModels, makeStore } from "../lab/ollama/make-store.ts";
import { type Content, type LabApp, shown } from "./lab.ts";
import { quote } from "./shell.ts";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../lab/ollama/server.ts");
const [weekMs, weightsBytes] = [7 * 86_400_000, 32 << 20];

/** An Ollama with four models of two registries, pulled a week ago, and a download that was given up. */
export function ollamaLab(root: string): LabApp {
  const folder = join(root, "ollama");
  const home = join(folder, "home");
  const models = join(home, "models");
  const portFile = join(folder, "port");
  const port = async () => Number(await readFile(portFile, "utf8"));
  const commandLine = async (verb: string) => [
    ...[process.execPath, script, verb, "--folder", home, "--state", join(folder, "server")],
    ...["--port", String(await port())],
  ];
  const server = async (verb: string) => {
    const [program = "", ...args] = await commandLine(verb);
    await run(program, args);
  };
  const shellLine = async (verb: string) => (await commandLine(verb)).map(quote).join(" ");
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`http://127.0.0.1:${await port()}${path}`, init);
    const json = (await answer.json()) as { error?: string };
    if (!answer.ok) throw new Error(`Cannot ask Ollama for "${path}": ${json.error}`);
    return json;
  };

  return {
    title: "Ollama",
    name: "ollama",

    async make() {
      const made = await makeStore(home, labModels(weightsBytes));
      await writeFile(portFile, `${await freePort()}\n`);
      await server("start");
      // A start would have cleared it away.
      await (await beginPull(models, { kind: "model", key: "given up", sizeBytes: 4 << 20 })).close();
      const weekAgo = (Date.now() - weekMs) / 1000;
      const blobs = join(models, "blobs");
      for (const name of await readdir(blobs)) await utimes(join(blobs, name), weekAgo, weekAgo);
      return {
        settings: {
          models: "./ollama/home/models",
          workload: {
            stop: await shellLine("stop"),
            start: await shellLine("start"),
            status: await shellLine("status"),
          },
        },
        about: `${made.map(({ name }) => name).join(", ")}, a download that was given up; its server on 127.0.0.1:${await port()}`,
      };
    },

    start: () => server("start"),

    async stop() {
      const known = await port().then(
        () => true,
        () => false,
      );
      if (known) await server("stop");
    },

    async remove() {},

    /** What the server lists and loads, and the bytes of every blob. */
    async content() {
      const { models: listed } = (await ask("/api/tags")) as {
        models: { name: string; digest: string; size: number }[];
      };
      const content: [string, string][] = [];
      for (const { name, digest, size } of listed) {
        await ask("/api/generate", { model: name });
        content.push([`model ${name} that the server loads`, `${size} bytes, manifest ${digest}`]);
      }
      for (const name of await readdir(join(models, "blobs"))) {
        if (name.includes("-partial")) continue;
        content.push([`blob ${name}`, `sha256 ${await sha256Of(join(models, "blobs", name))}`]);
      }
      return new Map(content.sort(([a], [b]) => (a < b ? -1 : 1)));
    },

    describe(content) {
      const sizes = [...content].flatMap(([name, value]) =>
        name.startsWith("model ") ? [Number.parseInt(value, 10)] : [],
      );
      const total = formatBytes(sizes.reduce((sum, size) => sum + size, 0));
      return `${sizes.length} models, ${total} in ${blobsIn(content)} blobs; its server loads each of them`;
    },

    async destroy() {
      await rm(models, { recursive: true });
      return `rm -r ${shown(models)}`;
    },
  };
}

const blobsIn = (content: Content) => [...content.keys()].filter((name) => name.startsWith("blob ")).length;
