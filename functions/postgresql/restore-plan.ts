import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { type Connection, rows, withConnection } from "./connect.ts";
import { describeDatabase, serverVersion } from "./describe.ts";
import type { DumpSummary } from "./dump/scan.ts";
import type { DatabaseFacts, RoleFacts } from "./preamble.ts";
import type { Settings } from "./settings.ts";

/** What has to be made and given for a dump, decided before anything is changed. */
export interface RestorePlan {
  /** The database's own properties: what the dump says, else what production has; absent when neither is there. */
  readonly properties?: DatabaseFacts;
  /** Owner of the database, and of what the dump gives to nobody. */
  readonly owner: string;
  /** Roles that are missing on this server. Groups first. */
  readonly missingRoles: readonly Pick<RoleFacts, "name" | "inherit" | "login" | "memberOf">[];
  /** Settings of the properties that this server can take. */
  readonly settings: DatabaseFacts["settings"];
  /** Roles that are, or can make themselves, as powerful as the operating system's user of the server. */
  readonly powerful: ReadonlySet<string>;
}

/**
 * Compares a dump with the server that it shall go to.
 * @throws {Failure} `target_invalid`; `override_needed` when something in it would get a superuser's rights.
 */
export async function planRestore(
  ctx: RunContext<Settings>,
  connection: Connection,
  summary: DumpSummary,
): Promise<RestorePlan> {
  const { settings } = ctx;
  await requireSuperuser(connection, settings);
  const server = await serverVersion(connection);
  const from = Number.parseInt(summary.serverVersion ?? "", 10);
  if (from > Math.floor(server.number / 10_000)) {
    ctx.warn(
      `The dump comes from PostgreSQL ${summary.serverVersion}, this server is ${server.text}: it may not load.`,
    );
  }
  const production = await describeDatabase(connection, settings.database).catch((error) => {
    if (error instanceof Failure && error.code === "source_missing") return undefined;
    throw error;
  });
  const properties = summary.database ?? production;
  const owner = properties?.owner ?? settings.user;
  const powerful = await powerfulRoles(connection, server.number);
  const usable = await usableSettings(ctx, connection, properties?.settings ?? []);
  const present = new Set(production?.settings.map((setting) => JSON.stringify(setting)));
  const unusual = usable.privileged.filter((setting) => !present.has(JSON.stringify(setting)));
  const objections = [
    ...[...summary.owners].flatMap(([role, { count, examples }]) =>
      powerful.has(role) ? [`${listed(examples, count)} (to ${role})`] : [],
    ),
    ...(powerful.has(owner) && summary.owners.size === 0 ? [`everything in it (to ${owner})`] : []),
    ...summary.superuserObjects,
    ...(await foreignExtensions(ctx, connection, summary, production !== undefined)),
    ...unusual.map(({ name, value }) => `the setting ${name} = ${value}`),
  ];
  if (objections.length > 0 && !ctx.allows("superuser-owner")) {
    throw new Failure(
      "override_needed",
      `Cannot restore the database "${settings.database}": no superuser's rights are wanted, this dump gives them to ${listed(objections.slice(0, 5), objections.length)}`,
      {
        hint: "If you trust this dump as much as the server's administrator, run this again with ALLOW=superuser-owner.",
      },
    );
  }
  return {
    ...(properties && { properties }),
    owner,
    missingRoles: await missingRoles(connection, summary, properties, owner),
    settings: usable.all,
    powerful,
  };
}

const listed = (names: readonly string[], count: number) =>
  names.join(", ") + (count > names.length ? ` and ${count - names.length} more` : "");

async function requireSuperuser(connection: Connection, { user }: Settings): Promise<void> {
  const [row] = await rows<{ super: boolean }>(
    connection,
    "SELECT rolsuper AS super FROM pg_roles WHERE rolname = current_user",
  );
  if (row?.super) return;
  throw new Failure("target_invalid", `Cannot restore as "${user}": a superuser is wanted, this role is none`, {
    hint: 'Name one in the settings "user" and "passwordFile" (CloudNativePG: enableSuperuserAccess).',
  });
}

/** Before 16, who may make roles may also join those that may start programs. */
async function powerfulRoles(connection: Connection, server: number): Promise<Set<string>> {
  const found = await rows<{ name: string }>(
    connection,
    `SELECT rolname AS name FROM pg_roles WHERE rolsuper ${server < 160_000 ? "OR rolcreaterole" : ""}
        OR pg_has_role(oid, 'pg_execute_server_program', 'MEMBER') OR pg_has_role(oid, 'pg_write_server_files', 'MEMBER')`,
  );
  return new Set(found.map(({ name }) => name));
}

/** Extensions that only a superuser may make, and that production does not have already. */
async function foreignExtensions(
  ctx: RunContext<Settings>,
  connection: Connection,
  summary: DumpSummary,
  hasProduction: boolean,
): Promise<string[]> {
  if (summary.extensions.size === 0) return [];
  const available = await rows<{ name: string; trusted: boolean }>(
    connection,
    `SELECT e.name, v.trusted FROM pg_available_extensions e
       JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version`,
  );
  const trusted = new Map(available.map(({ name, trusted }) => [name, trusted]));
  const absent = [...summary.extensions.keys()].filter((name) => !trusted.has(name));
  if (absent.length > 0) {
    throw new Failure("target_invalid", `Cannot restore: the server has no extension ${absent.join(", ")}`, {
      hint: "Install it on the server first: a dump names extensions, it does not contain them.",
    });
  }
  const untrusted = [...summary.extensions.keys()].filter((name) => !trusted.get(name));
  if (untrusted.length === 0) return [];
  const { settings, signal } = ctx;
  const present = hasProduction
    ? await withConnection(settings, { database: settings.database, signal }, (production) =>
        rows<{ name: string }>(production, "SELECT extname AS name FROM pg_extension"),
      )
    : [];
  return untrusted
    .filter((name) => !present.some((extension) => extension.name === name))
    .map((name) => `EXTENSION ${name}`);
}

async function usableSettings(
  ctx: RunContext<Settings>,
  connection: Connection,
  settings: DatabaseFacts["settings"],
): Promise<{ all: DatabaseFacts["settings"]; privileged: DatabaseFacts["settings"] }> {
  const known = await rows<{ name: string; context: string }>(connection, "SELECT name, context FROM pg_settings");
  const contexts = new Map(known.map(({ name, context }) => [name.toLowerCase(), context]));
  // A name with a dot belongs to an extension or an application, and the server knows it only once it is loaded.
  const contextOf = (name: string) =>
    contexts.get(name.toLowerCase()) ?? (/^[a-z_]\w*(\.[a-z_]\w*)+$/i.test(name) ? "user" : undefined);
  const all = settings.filter(({ name }) => {
    const context = contextOf(name);
    if (context === undefined) ctx.warn(`This server has no setting "${name}"; the database is restored without it.`);
    return context !== undefined;
  });
  return { all, privileged: all.filter(({ name }) => contextOf(name) !== "user") };
}

async function missingRoles(
  connection: Connection,
  summary: DumpSummary,
  properties: DatabaseFacts | undefined,
  owner: string,
): Promise<RestorePlan["missingRoles"]> {
  const existing = new Set(
    (await rows<{ name: string }>(connection, "SELECT rolname AS name FROM pg_roles")).map((role) => role.name),
  );
  const described = summary.database?.roles ?? [];
  const named = [
    ...summary.owners.keys(),
    ...summary.grantees,
    ...(properties?.grants ?? []).flatMap(({ grantee }) => grantee ?? []),
    ...(properties?.settings ?? []).flatMap(({ role }) => role ?? []),
    owner,
  ];
  const others = [...new Set(named)].filter((name) => !described.some((role) => role.name === name));
  return [...described, ...others.map((name) => ({ name, inherit: true, login: false, memberOf: [] }))].filter(
    ({ name }) => !existing.has(name) && !name.startsWith("pg_"),
  );
}
