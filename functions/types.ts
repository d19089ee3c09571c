import { readdir } from "node:fs/promises";
import type { AnyAppType } from "../shared/app.ts";

/** Every folder beside this file is an app type. */
export async function typeFolders(): Promise<string[]> {
  const entries = await readdir(import.meta.dirname, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
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
