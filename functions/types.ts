import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AnyAppType } from "../shared/app.ts";

/** Every folder beside this file that knows how to restore is an app type; `notify` and `status` are not. */
export async function typeFolders(): Promise<string[]> {
  const here = import.meta.dirname;
  return (await readdir(here)).filter((name) => existsSync(join(here, name, "restore.ts")));
}

/** The app types: what the app.ts of each folder says. */
export async function loadAppTypes(): Promise<AnyAppType[]> {
  const types = await Promise.all(
    (await typeFolders()).map(async (name) => {
      const { app } = (await import(`./${name}/app.ts`)) as { app: AnyAppType };
      return app;
    }),
  );
  return types.sort((a, b) => (a.type < b.type ? -1 : 1));
}
