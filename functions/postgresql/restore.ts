import type { RestoreApp } from "../../shared/app.ts";
import { DatabaseTarget } from "./database-target.ts";
import type { Settings } from "./settings.ts";

/** The app goes on until the swap, which ends its connections; it connects again by itself. */
export const restore: RestoreApp<Settings> = {
  needsStop: false,
  target: (ctx) => new DatabaseTarget(ctx),
};
