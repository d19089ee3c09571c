import { loadStackFile } from "../../../shared/stack/stack-file.ts";
import type { Gateway } from "./ask.ts";

/**
 * When functions are called by cron: as the gateway has them deployed, else as the stack file has them.
 * @returns The schedule by function; undefined when nobody tells.
 */
export async function readSchedules(
  gateway: Pick<Gateway, "functions">,
  {
    password,
    stackFile,
    environment,
  }: {
    password: string | undefined;
    stackFile: string;
    environment: Readonly<Record<string, string | undefined>>;
  },
): Promise<ReadonlyMap<string, string> | undefined> {
  const deployed = await gateway.functions(password);
  if (deployed)
    return new Map(deployed.flatMap(({ name, schedule }) => (schedule === undefined ? [] : [[name, schedule]])));
  const stack = await loadStackFile(stackFile, environment).catch(() => undefined);
  return (
    stack &&
    new Map(
      stack.flatMap(({ service, annotations }) =>
        annotations?.topic === "cron-function" && annotations.schedule !== undefined
          ? [[service, annotations.schedule]]
          : [],
      ),
    )
  );
}
