import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Programs that tests start hundreds of times. */
export const programs = [
  "deploy/local/lab/factorio/server.ts",
  "deploy/local/lab/mapshot/render.ts",
  "deploy/local/lab/ollama/server.ts",
  "deploy/local/lab/open-webui/server.ts",
  "deploy/local/lab/sdtd/server.ts",
  "test/crash/killed-runner.ts",
  "test/nfs/client-process.ts",
] as const;

/** Names the folder that `bundle-programs.ts` has made of them. */
export const bundlesVariable = "KEEPSAKE_TEST_PROGRAMS";

/** In the folder of the program's name. */
export const bundleEntry = "program.mjs";
export const bundleName = (program: string): string => program.replaceAll(/[/.]/g, "-");

/** What Node is to start: the program in few files, in half the time, where the tests' set-up has made one. */
export function programPath(program: (typeof programs)[number]): string {
  const folder = process.env[bundlesVariable];
  return folder ? join(folder, bundleName(program), bundleEntry) : join(root, program);
}
