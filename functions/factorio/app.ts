import { resolve } from "node:path";
import { z } from "zod";
import type { AppType, Source } from "../../shared/app.ts";
import { historyNaming } from "../../shared/nas/naming.ts";

/** A save's name without ".zip": a part of a path, and of a console command. */
const SaveName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 _-]{0,99}$/, "letters, digits, spaces, - and _");

const Rcon = z.strictObject({
  host: z.string().default("127.0.0.1"),
  port: z.number().int().min(1).max(65535).default(27015),
  /** A file that holds the password and nothing else. */
  passwordFile: z.string().default("/var/openfaas/secrets/factorio-rcon"),
  /**
   * The slot that a backup saves into. Absent: the name of the loaded game. A slot of its own leaves the players' save
   * alone, but is the newest file from then on, so it is what a server that loads the latest save starts with.
   */
  saveName: SaveName.optional(),
  /** How long saving may take, and how long each look at the server, in seconds. */
  timeoutSeconds: z.number().positive().max(3600).default(120),
});

export const Settings = z.strictObject({
  /** The server's folder of saves. */
  saves: z.string().default("/factorio/saves"),
  /** Under which name a restored save goes there. Not that of an autosave slot, which the server would write over. */
  saveName: SaveName.regex(/^(?!_autosave)/, "not an autosave slot").default("homelab"),
  /** The server's console; without it the newest save on disk is what is backed up, and nobody is warned of a restore. */
  rcon: Rcon.optional(),
  /** How long players have between the warning and the stop, in seconds. Nobody waits when nobody plays. */
  warnSeconds: z.number().min(0).max(600).default(15),
});
export type Settings = z.infer<typeof Settings>;

/** The save that was chosen. */
export interface FactorioSource extends Source {
  readonly path: string;
  readonly sizeBytes: number;
  readonly fingerprint: string;
  /** When the folder was looked at, in ms since the epoch: whatever was saved later is not in the backup. */
  readonly lookedAtMs: number;
  /** When the game finished writing it, in ms since the epoch. */
  readonly savedAtMs: number;
}

export const app: AppType<Settings, FactorioSource> = {
  type: "factorio",
  title: "Factorio",
  settings: Settings,
  place: ({ saves }) => resolve(saves),
  kubernetes: {
    namespace: "factorio",
    workload: { kind: "Deployment", name: "factorio-factorio-server-charts" },
    claim: "factorio-factorio-server-charts-datadir",
    mountPath: "/factorio",
    user: "845:845",
    secrets: { "factorio-rcon": "factorio-rcon/rconpw" },
  },
  keep: 5,
  artefacts: [
    {
      kind: "save",
      latest: "latest.zip",
      naming: historyNaming({ prefix: "factorio-", suffix: ".zip", join: "-" }),
    },
  ],
  loadBackup: async () => (await import("./backup.ts")).backup,
  loadRestore: async () => (await import("./restore.ts")).restore,
  loadDrill: async () => (await import("./drill.ts")).drill,
};
