import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { parseJson } from "../../shared/json.ts";
import { CliError, exits, usage } from "./exit.ts";

/**
 * What the gateway of a clone leaves in `homelab/state/gateway.json` while it runs. `make up` over another configuration
 * makes `build/gateway.json` lead to that one's.
 */
const OwnGateway = z.object({ url: z.string(), pid: z.number().int().positive(), tokenFile: z.string().optional() });
type OwnGateway = z.infer<typeof OwnGateway>;

/** `~/.config/keepsake/config.json`. A relative token file is beside it. */
const Configured = z.strictObject({ gateway: z.string(), tokenFile: z.string().optional() });
type Configured = z.infer<typeof Configured>;

export interface GatewayChoice {
  /** Without a slash at its end. */
  readonly url: string;
  readonly tokenFile?: string;
  /** Why this one, for people: "this clone's own". */
  readonly from: string;
  /** Runs on this machine from this clone, so `make up` starts it, and its tools are this machine's. */
  readonly own: boolean;
}

export interface Asked {
  readonly gateway?: string;
  readonly tokenFile?: string;
}

/**
 * The gateway that was asked for, else this clone's own when it runs, else the configured one. A token goes to the
 * gateway that it was named with and to no other; TOKEN_FILE alone is for whichever is chosen.
 * @throws {CliError} `usage` for a bad URL, `unreachable` when there is none.
 */
export function chooseGateway(asked: Asked, own: OwnGateway | undefined, configured?: Configured): GatewayChoice {
  const { tokenFile } = asked;
  if (asked.gateway !== undefined) {
    return { url: cleanUrl(asked.gateway), ...(tokenFile && { tokenFile }), from: "from GATEWAY", own: false };
  }
  const [found, from] = own
    ? [{ url: own.url, tokenFile: own.tokenFile }, "this clone's own"]
    : configured
      ? [{ url: configured.gateway, tokenFile: configured.tokenFile }, "from ~/.config/keepsake/config.json"]
      : [undefined, ""];
  if (!found) {
    throw new CliError(
      exits.unreachable,
      "Cannot find a gateway: this clone's own is not running, and no other is named",
      {
        hint: "Start it in another terminal with: make up. Or name one: GATEWAY=http://… TOKEN_FILE=…",
      },
    );
  }
  const token = tokenFile ?? found.tokenFile;
  return { url: cleanUrl(found.url), ...(token && { tokenFile: token }), from, own: own !== undefined };
}

/**
 * The gateway of a cluster, as `faas-cli` will have it, too: the one that was asked for, else OPENFAAS_URL, else the
 * configured one, else that of this machine. Never a clone's own.
 * @param tokenFile Where the cluster's token is kept.
 */
export async function clusterGateway(asked: Asked, tokenFile: string, home: string): Promise<GatewayChoice> {
  const configured = await readConfigured(join(home, ".config/keepsake/config.json"));
  const [url, from] = asked.gateway
    ? [asked.gateway, "from GATEWAY"]
    : process.env.OPENFAAS_URL
      ? [process.env.OPENFAAS_URL, "from OPENFAAS_URL"]
      : configured
        ? [configured.gateway, "from ~/.config/keepsake/config.json"]
        : ["http://127.0.0.1:8080", "as faas-cli has it"];
  return { url: cleanUrl(url), tokenFile: asked.tokenFile ?? tokenFile, from, own: false };
}

function cleanUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw usage(`Cannot use the gateway "${text}": a URL like http://127.0.0.1:8080 is wanted`);
  }
  if (url.username || url.password) {
    throw usage(
      `Cannot use the gateway at ${url.host}: its URL holds credentials`,
      "Put the token into a file: TOKEN_FILE=…",
    );
  }
  return url.href.replace(/\/+$/, "");
}

/** Looks at the clone, the home folder and the running processes, and chooses. */
export async function findGateway(asked: Asked, clone: string, home: string): Promise<GatewayChoice> {
  if (asked.gateway !== undefined) return chooseGateway(asked, undefined);
  const own =
    (await readOwn(join(clone, "homelab/state/gateway.json"), clone)) ??
    (await readOwn(join(clone, "build/gateway.json"), clone));
  const configured = own ? undefined : await readConfigured(join(home, ".config/keepsake/config.json"));
  return chooseGateway(asked, own, configured);
}

/** @returns undefined when it does not run: a gateway that was killed leaves its file behind. */
async function readOwn(path: string, clone: string): Promise<OwnGateway | undefined> {
  const parsed = OwnGateway.safeParse(parseJson(await readIfThere(path)));
  if (!parsed.success || !isAlive(parsed.data.pid)) return undefined;
  const { tokenFile, ...rest } = parsed.data;
  return { ...rest, ...(tokenFile && { tokenFile: resolve(clone, tokenFile) }) };
}

async function readConfigured(path: string): Promise<Configured | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const parsed = Configured.safeParse(parseJson(text));
  if (!parsed.success) {
    throw usage(`Cannot use "${path}": {"gateway": "http://…", "tokenFile": "…"} is wanted`);
  }
  const { gateway, tokenFile } = parsed.data;
  return { gateway, ...(tokenFile && { tokenFile: resolve(dirname(path), tokenFile) }) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * The bearer token, or undefined without a file.
 * @throws {CliError} `usage` when the file cannot be read or is empty.
 */
export async function readToken(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const token = await readFile(path, "utf8").catch((cause) => {
    throw new CliError(exits.usage, `Cannot read the token file "${path}": ${cause.message}`, { cause });
  });
  // Anything else would be refused as a header, with the token in the error's text.
  if (!/^[\x21-\x7e]+$/.test(token.trim()))
    throw usage(`Cannot use the token file "${path}": one line with the token is wanted`);
  return token.trim();
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((cause) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw new CliError(exits.usage, `Cannot read "${path}": ${cause.message}`, { cause });
  });
}
