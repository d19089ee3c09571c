import { z } from "zod";

/** One database of one server. Several databases are several apps. */
export const Settings = z.strictObject({
  /** Name or address; a path is a folder with the server's socket. */
  host: z.string().min(1).default("postgresql.databases.svc.cluster.local"),
  port: z.number().int().min(1).max(65535).default(5432),
  /** Reads everything and restores: a superuser. */
  user: z.string().min(1).max(63).default("postgres"),
  database: z
    .string()
    .min(1)
    .refine((name) => Buffer.byteLength(name) <= 63 && !name.includes("\0"), "at most 63 bytes")
    .default("shared"),
  /** Holds the user's password; an absent file means that the server asks for none. */
  passwordFile: z.string().default("/var/openfaas/secrets/postgresql-password"),
  /** Folder of pg_dump; the newest under /usr/lib/postgresql when absent, else the PATH. */
  bin: z.string().optional(),
  /**
   * Whether a drill gives a dump a superuser's rights where it asks for them (an extension that is not trusted), in its
   * own server without a network. Such a dump can start programs as the user that the drill runs as.
   */
  drillAsSuperuser: z.boolean().default(false),
  connectTimeoutSeconds: z.number().positive().max(300).default(10),
});
export type Settings = z.infer<typeof Settings>;

/** A drill's superuser, one that no dump knows: roles that were superusers where the dump was made are ordinary ones there. */
export const drillUser = ({ drillAsSuperuser, user }: Pick<Settings, "drillAsSuperuser" | "user">): string =>
  drillAsSuperuser ? user : "keepsake_drill";
