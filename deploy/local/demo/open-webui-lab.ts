import { execFile } from "node:child_process";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { hiddenFolder } from "../../../shared/nas/nas.ts";
import { formatBytes } from "../../../shared/words.ts";
import { databaseRows, folderFiles } from "../lab/open-webui/content.ts";
import { makeInstall } from "../lab/open-webui/make-database.ts";
import { type Content, type LabApp, placesIn, shown } from "./lab.ts";
import { quote } from "./shell.ts";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../lab/open-webui/server.ts");
const name = "open-webui";

/**
 * Open WebUI's data folder after a year, and a server that writes chats into the database until the first backup of it
 * begins.
 * @param options.uploads Whether the uploads are kept, destroyed and compared too.
 */
export function openWebuiLab(root: string, { uploads = false }: { uploads?: boolean } = {}): LabApp {
  const folder = join(root, name);
  // As the provisioner for NFS claims names it: the live data is on the NAS, too.
  const data = join(placesIn(root).nas, "open-webui-open-webui-data");
  const database = join(data, "webui.db");
  // The first thing that a run of the app makes.
  const begun = join(placesIn(root).nas, hiddenFolder, name);
  const commandLine = (verb: string) => [
    ...[process.execPath, script, verb, "--data", data, "--state", join(folder, "server")],
    ...["--until", begun, "--every-ms", "50"],
  ];
  const server = async (verb: string) => {
    const [program = "", ...args] = commandLine(verb);
    await run(program, args);
  };
  const shellLine = (verb: string) => commandLine(verb).map(quote).join(" ");

  return {
    title: "Open WebUI",
    name,

    async make() {
      await mkdir(data, { recursive: true });
      await makeInstall(data);
      const { size } = await stat(database);
      await server("start");
      return {
        settings: {
          data: "./nas/open-webui-open-webui-data",
          ...(uploads && { uploads }),
          workload: { stop: shellLine("stop"), start: shellLine("start"), status: shellLine("status") },
        },
        about: `webui.db of ${formatBytes(size)}, to which its server adds chats until the first backup; uploads, vector_db and cache beside it`,
      };
    },

    start: () => server("start"),

    stop: () => server("stop"),

    async remove() {},

    async content() {
      const runs = await server("status").then(
        () => "runs",
        () => "is down",
      );
      return new Map([
        ...databaseRows(database),
        ...(uploads ? await folderFiles(join(data, "uploads")) : []),
        ["its server", runs],
      ]);
    },

    describe(content) {
      const rows = (table: string) => Number.parseInt(content.get(`rows ${table}`) ?? "0", 10);
      const tables = [...content.keys()].filter((key) => key.startsWith("rows ")).length;
      const files = uploads ? `, ${uploadsIn(content)} uploads` : "";
      return `${rows("user")} users, ${rows("chat")} chats, ${rows("chat_message")} messages in ${tables} tables${files}; its server ${content.get("its server")}`;
    },

    async destroy() {
      await rm(database);
      if (uploads) await rm(join(data, "uploads"), { recursive: true });
      return `rm ${shown(database)}${uploads ? `; rm -r ${shown(join(data, "uploads"))}` : ""}`;
    },
  };
}

const uploadsIn = (content: Content) => [...content.keys()].filter((key) => key.startsWith("upload ")).length;
