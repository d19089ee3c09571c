import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Failure } from "../../../../shared/failures.ts";

/** Where Debian and Homebrew keep it, and who builds it himself; setup.sh looks there too. */
const places = [
  "/usr/sbin",
  "/usr/local/sbin",
  "/usr/local/bin",
  "/opt/homebrew/bin",
  "/opt/homebrew/opt/nats-server/bin",
];

/**
 * @param root Of the places; for tests.
 * @returns The path of the program `nats-server`; the PATH is looked into first.
 * @throws {Failure} `tool_missing` when there is none, with the line to type as its hint.
 */
export async function findNatsServer(root = "/", path = process.env.PATH ?? ""): Promise<string> {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), ...places.map((p) => join(root, p))];
  for (const folder of folders) {
    const program = join(folder, "nats-server");
    if (await canRun(program)) return program;
  }
  throw new Failure("tool_missing", "Cannot start NATS: the program nats-server is wanted, is not installed", {
    hint: process.platform === "darwin" ? "Type: brew install nats-server" : "Type: sudo apt-get install nats-server",
  });
}

const canRun = (file: string) =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
