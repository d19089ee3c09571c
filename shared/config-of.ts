import type { AnyAppType } from "./app.ts";
import type { AppConfig, Config } from "./config.ts";

/** What keepsake.yaml says, checked and complete, as plain data: what is written as JSON reads the same. */
export interface Settings extends Omit<Config, "timeZone" | "apps"> {
  readonly timeZone?: string;
  /** Of each app its type by name. */
  readonly apps: readonly (Omit<AppConfig, "type"> & { readonly type: string })[];
}

/** @param types With all that the settings name. */
export function configOf({ timeZone, apps, ...rest }: Settings, types: readonly AnyAppType[]): Config {
  return {
    ...rest,
    // Asked for when it is needed: the answer takes a sixth of the time that a runner takes to start.
    get timeZone() {
      return timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    },
    apps: apps.map((app) => ({ ...app, type: types.find(({ type }) => type === app.type) as AnyAppType })),
  };
}
