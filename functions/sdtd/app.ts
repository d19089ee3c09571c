import { resolve } from "node:path";
import { z } from "zod";
import type { AppType, Source } from "../../shared/app.ts";
import { historyNaming } from "../../shared/nas/naming.ts";
import type { FoundGame } from "./find-game.ts";

/** The name of a folder. */
const FolderName = z.string().regex(/^[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,99}$/, "the name of a folder");

const Telnet = z.strictObject({
  host: z.string().default("127.0.0.1"),
  port: z.number().int().min(1).max(65535).default(8081),
  /** A file that holds the password and nothing else; an empty one for a console that asks for none. */
  passwordFile: z.string().default("/var/openfaas/secrets/sdtd-telnet"),
  /** How long saving may take, and how long each look at the server, in seconds. */
  timeoutSeconds: z.number().positive().max(3600).default(120),
});

export const Settings = z.strictObject({
  /** The server's UserDataFolder, with `Saves` and `GeneratedWorlds`. */
  userData: z.string().default("/app/7-days-to-die/UserData"),
  /** Which game, when there are several: `Saves/<world>/<game>`. Absent: the one that is there. */
  world: FolderName.optional(),
  game: FolderName.optional(),
  /** Worlds that come with the game or a mod, beside Navezgane and Pregen…: their games are backed up without a world. */
  worldsOfTheGame: z.array(FolderName).default([]),
  /** The server's console; without it what is on disk is backed up, and nobody is warned of a restore. */
  telnet: Telnet.optional(),
  /** How long players have between the warning and the stop, in seconds. Nobody waits when nobody plays. */
  warnSeconds: z.number().min(0).max(600).default(15),
});
export type Settings = z.infer<typeof Settings>;

/** The game that was found. */
export interface SdtdSource extends Source {
  readonly found: FoundGame;
}

export const app: AppType<Settings, SdtdSource> = {
  type: "sdtd",
  title: "7 Days to Die",
  settings: Settings,
  place: ({ userData }) => resolve(userData),
  kubernetes: {
    namespace: "sdtd",
    workload: { kind: "Deployment", name: "sdtd-7dtd" },
    claim: "sdtd-7dtd-gamefiles",
    mountPath: "/app/7-days-to-die",
    user: "1000:1000",
    secrets: { "sdtd-telnet": "sdtd-telnet/password" },
  },
  keep: 5,
  artefacts: [
    {
      kind: "save",
      latest: "latest.tar.gz",
      naming: historyNaming({ prefix: "7dtd-", suffix: ".tar.gz", join: "-", labelled: true }),
    },
    {
      kind: "world",
      latest: "latest-world.tar.gz",
      naming: historyNaming({ prefix: "7dtd-", suffix: "-world.tar.gz", join: "-", labelled: true }),
    },
  ],
  loadBackup: async () => (await import("./backup.ts")).backup,
  loadRestore: async () => (await import("./restore.ts")).restore,
  loadDrill: async () => (await import("./drill.ts")).drill,
};
