import { createHash } from "node:crypto";
import pg from "pg";

/** What a database holds, one line for each thing, so that two of them can be compared and a difference shown. */
export type DatabaseContent = ReadonlyMap<string, string>;

/**
 * Reads everything that a restore has to bring back: every row of every table, sequences, large objects, the
 * definitions of views, functions, indexes, triggers and policies, owners, rights, comments, and the database's own
 * owner, rights, settings and comment.
 * @returns By name ("rows public.notes"), the content or its sha256.
 */
export async function databaseContent(connection: pg.ClientConfig): Promise<DatabaseContent> {
  const client = new pg.Client({
    ...connection,
    options: "-c search_path=pg_catalog -c extra_float_digits=1 -c timezone=UTC",
  });
  await client.connect();
  try {
    const content = new Map<string, string>();
    for (const query of definitions) {
      for (const { name, value } of (await client.query<{ name: string; value: string | null }>(query)).rows) {
        content.set(name, value ?? "");
      }
    }
    for (const table of (await client.query<{ name: string }>(tables)).rows) {
      content.set(`rows ${table.name}`, await rowsDigest(client, table.name));
    }
    return content;
  } finally {
    await client.end();
  }
}

/** @returns For people, what is missing, added or different; empty when nothing is. */
export function differences(wanted: DatabaseContent, actual: DatabaseContent): string[] {
  const names = [...new Set([...wanted.keys(), ...actual.keys()])].sort();
  return names
    .filter((name) => wanted.get(name) !== actual.get(name))
    .map((name) => `${name}: ${wanted.get(name) ?? "(nothing)"} is wanted, is ${actual.get(name) ?? "(nothing)"}`);
}

/** Rows in the order of their text, a thousand at a time. */
async function rowsDigest(client: pg.Client, table: string): Promise<string> {
  const hash = createHash("sha256");
  let count = 0;
  await client.query("BEGIN");
  await client.query(`DECLARE rows CURSOR FOR SELECT t::text AS row FROM ONLY ${table} t ORDER BY t::text COLLATE "C"`);
  for (;;) {
    const { rows } = await client.query<{ row: string }>("FETCH 1000 FROM rows");
    if (rows.length === 0) break;
    count += rows.length;
    for (const { row } of rows) hash.update(`${row}\n`);
  }
  await client.query("COMMIT");
  return `${count} rows, sha256 ${hash.digest("hex")}`;
}

const own = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
const relation = "format('%I.%I', n.nspname, c.relname)";
/** An ACL in an order of its own, owners' implied rights spelled out. */
const acl = (column: string, kind: string, owner: string) =>
  `(SELECT string_agg(format('%s:%s%s by %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
     a.privilege_type, CASE WHEN a.is_grantable THEN '*' ELSE '' END, a.grantor::regrole), ' ' ORDER BY a.grantee::regrole::text, a.privilege_type)
    FROM aclexplode(coalesce(${column}, acldefault('${kind}', ${owner}))) a)`;

const tables = `SELECT ${relation} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm') AND ${own} ORDER BY 1`;

const definitions = [
  `SELECT 'database' AS name, concat_ws(' | ', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,
     datconnlimit, datallowconn, datistemplate, shobj_description(oid, 'pg_database'), ${acl("datacl", "d", "datdba")}) AS value
     FROM pg_database WHERE datname = current_database()`,
  `SELECT 'setting of ' || CASE setrole WHEN 0 THEN 'all' ELSE setrole::regrole::text END AS name,
     (SELECT string_agg(s, ' | ' ORDER BY s) FROM unnest(setconfig) s) AS value
     FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  `SELECT 'schema ' || nspname AS name, concat_ws(' | ', nspowner::regrole, ${acl("nspacl", "n", "nspowner")}, obj_description(n.oid, 'pg_namespace')) AS value
     FROM pg_namespace n WHERE ${own}`,
  `SELECT 'extension ' || extname AS name, concat_ws(' | ', extversion, n.nspname) AS value FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`,
  `SELECT 'relation ' || ${relation} AS name, concat_ws(' | ', relkind, relowner::regrole, relrowsecurity, relforcerowsecurity, relispopulated,
     obj_description(c.oid, 'pg_class'), ${acl("relacl", "r", "relowner")},
     (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attacl::text,
        pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
     CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, pg_get_expr(relpartbound, c.oid)) AS value
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${own}`,
  `SELECT 'index ' || ${relation} AS name, pg_get_indexdef(c.oid) AS value
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind IN ('i', 'I') AND ${own}`,
  `SELECT 'constraint ' || conrelid::regclass || ' ' || conname AS name, pg_get_constraintdef(c.oid) AS value
     FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE conrelid <> 0 AND ${own}`,
  `SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname AS name, concat_ws(' | ', tgenabled, pg_get_triggerdef(t.oid)) AS value
     FROM pg_trigger t WHERE NOT tgisinternal`,
  `SELECT 'rule ' || ev_class::regclass || ' ' || rulename AS name, pg_get_ruledef(r.oid) AS value
     FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE rulename <> '_RETURN' AND ${own}`,
  `SELECT 'policy ' || polrelid::regclass || ' ' || polname AS name,
     concat_ws(' | ', polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid)) AS value FROM pg_policy`,
  `SELECT 'function ' || p.oid::regprocedure AS name, concat_ws(' | ', proowner::regrole, prokind, ${acl("proacl", "f", "proowner")},
     CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END) AS value
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE ${own} AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`,
  `SELECT 'type ' || format('%I.%I', n.nspname, typname) AS name, concat_ws(' | ', typtype, typowner::regrole, format_type(typbasetype, typtypmod),
     (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)) AS value
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE typtype IN ('e', 'd') AND ${own}`,
  `SELECT 'sequence ' || format('%I.%I', schemaname, sequencename) AS name, concat_ws(' | ', start_value, increment_by, last_value, cycle) AS value FROM pg_sequences`,
  `SELECT 'large object ' || m.oid AS name, concat_ws(' | ', lomowner::regrole, md5(lo_get(m.oid)), length(lo_get(m.oid)), ${acl("lomacl", "L", "lomowner")}) AS value
     FROM pg_largeobject_metadata m`,
  `SELECT 'publication ' || pubname AS name, concat_ws(' | ', pubowner::regrole, puballtables,
     (SELECT string_agg(prrelid::regclass::text, ',') FROM pg_publication_rel WHERE prpubid = p.oid)) AS value FROM pg_publication p`,
  `SELECT 'event trigger ' || evtname AS name, concat_ws(' | ', evtowner::regrole, evtevent, evtfoid::regproc) AS value FROM pg_event_trigger`,
  `SELECT 'default rights ' || defaclrole::regrole || ' ' || defaclnamespace::regnamespace || ' ' || defaclobjtype::text AS name, defaclacl::text AS value FROM pg_default_acl`,
];
