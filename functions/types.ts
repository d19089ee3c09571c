import { readdir } from "node:fs/promises";
import type { AnyAppType } from "../shared/app.ts";

/** The app types: every folder beside this file that has an app.ts. */
export async function loadAppTypes(): Promise<AnyAppType[]> {
  const folders = (await readdir(import.meta.dirname, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const types = await Promise.all(
    folders.map(async ({ name }) => {
      const { app } = (await import(`./${name}/app.ts`)) as { app: AnyAppType };
      return app;
    }),
  );
  return types.sort((a, b) => (a.type < b.type ? -1 : 1));
}
