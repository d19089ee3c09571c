import type { DatabaseFacts } from "./preamble.ts";
import { quoteName, quoteText } from "./sql.ts";

const rights = ["CREATE", "TEMPORARY", "CONNECT"];

/** The statements that give a new database its owner, rights, settings and limit. All can be in one transaction. */
export function propertiesSql(
  name: string,
  owner: string,
  facts: Pick<DatabaseFacts, "grants" | "connectionLimit"> | undefined,
  settings: DatabaseFacts["settings"],
): string[] {
  const database = quoteName(name);
  return [
    `ALTER DATABASE ${database} OWNER TO ${quoteName(owner)}`,
    ...grantsSql(database, owner, facts?.grants ?? null),
    `ALTER DATABASE ${database} CONNECTION LIMIT ${facts?.connectionLimit ?? -1}`,
    ...settings.map((setting) => {
      const subject =
        setting.role === null ? `DATABASE ${database}` : `ROLE ${quoteName(setting.role)} IN DATABASE ${database}`;
      return `ALTER ${subject} SET ${setting.name.split(".").map(quoteName).join(".")} TO ${settingValue(setting)}`;
    }),
  ];
}

function grantsSql(database: string, owner: string, grants: DatabaseFacts["grants"]): string[] {
  const own = `ALL ON DATABASE ${database}`;
  if (grants === null) return [`GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO PUBLIC`];
  return [
    `REVOKE ${own} FROM PUBLIC`,
    `REVOKE ${own} FROM ${quoteName(owner)}`,
    ...grants
      .filter(({ privilege }) => rights.includes(privilege))
      .map(({ grantee, privilege, grantable }) => {
        const to = grantee === null ? "PUBLIC" : quoteName(grantee);
        return `GRANT ${privilege} ON DATABASE ${database} TO ${to}${grantable ? " WITH GRANT OPTION" : ""}`;
      }),
  ];
}

/** Settings whose value is a list of names, quoted one by one where they need it (GUC_LIST_QUOTE). */
const lists = new Set([
  "search_path",
  "temp_tablespaces",
  "session_preload_libraries",
  "shared_preload_libraries",
  "local_preload_libraries",
  "unix_socket_directories",
]);

function settingValue({ name, value }: { name: string; value: string }): string {
  if (!lists.has(name.toLowerCase())) return quoteText(value);
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(
    ([plain, quoted]) => quoted?.replaceAll('""', '"') ?? plain,
  );
  return names.map(quoteText).join(", ") || "''";
}
