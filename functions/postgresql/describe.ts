import { Failure } from "../../shared/failures.ts";
import { type Connection, rows } from "./connect.ts";
import type { DatabaseFacts, RoleFacts, SettingFacts } from "./preamble.ts";

/** "15.18 (Debian …)" and 150018. */
export async function serverVersion(connection: Connection): Promise<{ text: string; number: number }> {
  const [row] = await rows<{ text: string; number: number }>(
    connection,
    "SELECT current_setting('server_version') AS text, current_setting('server_version_num')::int AS number",
  );
  return row as { text: string; number: number };
}

export async function systemIdentifier(connection: Connection): Promise<string> {
  const [row] = await rows<{ id: string }>(connection, "SELECT system_identifier::text AS id FROM pg_control_system()");
  return (row as { id: string }).id;
}

/** Which data this is: survives dump and restore into the same server, and nothing else. */
export const identityOf = (system: string, database: string) => ({
  id: `${system}/${database}`,
  label: `PostgreSQL system ${system}, database ${database}`,
});

/**
 * What pg_dump leaves out, in an order that only changes when it changes.
 * @param database Any database of the server that the connection is to.
 * @throws {Failure} `source_missing`.
 */
export async function describeDatabase(connection: Connection, database: string): Promise<DatabaseFacts> {
  const [row] = await rows<{ d: Record<string, unknown>; owner: string; encoding: string; comment: string | null }>(
    connection,
    `SELECT to_jsonb(d) AS d, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
            shobj_description(oid, 'pg_database') AS comment
       FROM pg_database d WHERE datname = $1`,
    [database],
  );
  if (!row) throw new Failure("source_missing", `Cannot find the database "${database}": it does not exist`);
  const { d } = row;
  const text = (key: string) => (typeof d[key] === "string" ? (d[key] as string) : null);
  const provider = ({ i: "icu", b: "builtin" } as const)[text("datlocprovider") as "i" | "b"] ?? "libc";
  return {
    version: 1,
    database,
    systemIdentifier: await systemIdentifier(connection),
    owner: row.owner,
    encoding: row.encoding,
    locale: {
      provider,
      collate: text("datcollate") ?? "C",
      ctype: text("datctype") ?? "C",
      // Since 17 the column's name says that it is not ICU's alone.
      name: text("datlocale") ?? text("daticulocale"),
      rules: text("daticurules"),
    },
    comment: row.comment,
    connectionLimit: d.datconnlimit as number,
    grants: await databaseGrants(connection, database),
    settings: await databaseSettings(connection, database),
    roles: await databaseRoles(connection, database),
  };
}

/** A database without rights of its own has the default ones: told alike, since a restore makes them explicit. */
function databaseGrants(connection: Connection, database: string): Promise<NonNullable<DatabaseFacts["grants"]>> {
  return rows<{ grantee: string | null; privilege: string; grantable: boolean }>(
    connection,
    `SELECT r.rolname AS grantee, a.privilege_type AS privilege, bool_or(a.is_grantable) AS grantable
       FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
            LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE d.datname = $1 GROUP BY 1, 2 ORDER BY r.rolname COLLATE "C" NULLS FIRST, 2`,
    [database],
  );
}

async function databaseSettings(connection: Connection, database: string): Promise<SettingFacts[]> {
  const found = await rows<{ role: string | null; setting: string }>(
    connection,
    `SELECT r.rolname AS role, setting
       FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
      CROSS JOIN unnest(s.setconfig) AS setting
      WHERE d.datname = $1 ORDER BY r.rolname COLLATE "C" NULLS FIRST, setting COLLATE "C"`,
    [database],
  );
  return found.map(({ role, setting }) => {
    const at = setting.indexOf("=");
    return { role, name: setting.slice(0, at), value: setting.slice(at + 1) };
  });
}

/** Roles that own something in the database or have rights there, and the groups that these are in. Groups first. */
async function databaseRoles(connection: Connection, database: string): Promise<RoleFacts[]> {
  const found = await rows<RoleFacts>(
    connection,
    `WITH RECURSIVE used(id) AS (
       SELECT s.refobjid FROM pg_shdepend s, pg_database d
        WHERE d.datname = $1 AND s.refclassid = 'pg_authid'::regclass
          AND (s.dbid = d.oid OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid))
       UNION SELECT datdba FROM pg_database WHERE datname = $1
       UNION SELECT s.setrole FROM pg_db_role_setting s, pg_database d WHERE d.datname = $1 AND s.setdatabase = d.oid
       UNION SELECT m.roleid FROM pg_auth_members m JOIN used ON used.id = m.member)
     SELECT r.rolname AS name, r.rolcanlogin AS login, r.rolsuper AS superuser, r.rolinherit AS inherit,
            ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                   WHERE m.member = r.oid AND g.rolname !~ '^pg_' ORDER BY g.rolname COLLATE "C") AS "memberOf"
       FROM pg_roles r JOIN used ON used.id = r.oid WHERE r.rolname !~ '^pg_' ORDER BY r.rolname COLLATE "C"`,
    [database],
  );
  const byName = new Map(found.map((role) => [role.name, role]));
  const ordered = new Map<string, RoleFacts>();
  const add = (role: RoleFacts) => {
    for (const group of role.memberOf) {
      const facts = byName.get(group);
      if (facts && !ordered.has(group)) add(facts);
    }
    ordered.set(role.name, role);
  };
  for (const role of found) if (!ordered.has(role.name)) add(role);
  return [...ordered.values()];
}

/** How many tables (and the like) of its own a database has. The connection is to it. */
export async function countUserRelations(connection: Connection): Promise<number> {
  const [row] = await rows<{ count: number }>(
    connection,
    `SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
            ::int
          + (SELECT count(*) FROM pg_largeobject_metadata)::int
          + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')::int AS count`,
  );
  return row?.count ?? 0;
}
