import { z } from "zod";
import type { Facts, Identity } from "../../shared/app.ts";
import { identityOf } from "./describe.ts";
import type { DumpSummary } from "./dump/scan.ts";

/** What is recorded of a dump, and what a restore of it is compared with. */
export const DumpFacts = z.object({
  database: z.string().optional(),
  serverVersion: z.string().optional(),
  clientVersion: z.string().optional(),
  /** Of statements and rows. */
  dumpBytes: z.number().optional(),
  /** Rows by table. */
  tables: z.record(z.string(), z.number()).optional(),
  rows: z.number().optional(),
  largeObjects: z.number().optional(),
  extensions: z.array(z.string()).optional(),
  owners: z.array(z.string()).optional(),
  /** Owners that were superusers where the dump was made: a restore needs `ALLOW=superuser-owner`. */
  superuserOwners: z.array(z.string()).optional(),
});
export type DumpFacts = z.infer<typeof DumpFacts>;

/** The same from the dump that was just made and from one that is read back. */
export function factsOf(summary: DumpSummary): Facts {
  const superusers = new Set(summary.database?.roles.filter(({ superuser }) => superuser).map(({ name }) => name));
  const owners = [...summary.owners.keys()].sort();
  const facts: DumpFacts = {
    ...(summary.database && { database: summary.database.database }),
    ...(summary.serverVersion !== undefined && { serverVersion: summary.serverVersion }),
    dumpBytes: summary.sizeBytes,
    tables: Object.fromEntries([...summary.tables].sort(([a], [b]) => (a < b ? -1 : 1))),
    rows: [...summary.tables.values()].reduce((sum, rows) => sum + rows, 0),
    largeObjects: summary.largeObjects,
    extensions: [...summary.extensions.keys()].sort(),
    owners,
    superuserOwners: owners.filter((owner) => superusers.has(owner)),
  };
  return facts;
}

export function identityOfDump({ database }: DumpSummary): Identity | undefined {
  return database && identityOf(database.systemIdentifier, database.database);
}
