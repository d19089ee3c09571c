import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** What a running gateway tells about itself, so that `make` in this clone finds it. */
const GatewayFile = z.object({
  url: z.string(),
  pid: z.number().int(),
  /** RFC 3339. */
  startedAt: z.string(),
  /** Absolute path of the bearer token for the functions. */
  tokenFile: z.string(),
});
export type GatewayFile = z.infer<typeof GatewayFile>;

const pathIn = (folder: string) => join(folder, "gateway.json");

export async function writeGatewayFile(folder: string, content: GatewayFile): Promise<void> {
  const temporary = `${pathIn(folder)}.${content.pid}`;
  await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(temporary, pathIn(folder));
}

/** Removes the file unless another gateway has written it meanwhile. */
export async function removeGatewayFile(folder: string, pid: number): Promise<void> {
  if ((await readGatewayFile(folder))?.pid === pid) await rm(pathIn(folder), { force: true });
}

/** @returns The gateway over the same folder that answers right now; a killed one's file is ignored. */
export async function findRunningGateway(folder: string, send: typeof fetch = fetch): Promise<GatewayFile | undefined> {
  const file = await readGatewayFile(folder);
  if (!file) return undefined;
  const answer = await send(`${file.url}/healthz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok ? file : undefined;
}

async function readGatewayFile(folder: string): Promise<GatewayFile | undefined> {
  try {
    return GatewayFile.parse(JSON.parse(await readFile(pathIn(folder), "utf8")));
  } catch {
    return undefined;
  }
}
