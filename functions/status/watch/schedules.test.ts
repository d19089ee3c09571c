import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLog, tempFolder } from "../../../shared/testing.ts";
import { auth, echo, startGateway } from "../../../test/gateway/start-gateway.ts";
import { gatewayAt } from "./ask.ts";
import { readSchedules } from "./schedules.ts";

const daily = { topic: "cron-function", schedule: "CRON_TZ=UTC 0 3 * * *" };

test("readSchedules() takes them from a gateway that tells them, else from the stack file", async () => {
  const { url } = await startGateway(
    { "backup-a": echo, "backup-b": echo },
    {
      stack: [
        { service: "backup-a", image: "i", annotations: daily },
        { service: "backup-b", image: "i", annotations: { topic: "backups.completed" } },
      ],
      log: silentLog,
    },
  );
  const stackFile = join(await tempFolder(), "stack.yml");
  const annotations = { topic: "cron-function", schedule: `$${"{HOURLY}"}` };
  const stack = { provider: { name: "openfaas" }, functions: { "backup-c": { image: "i", annotations } } };
  await writeFile(stackFile, JSON.stringify(stack));
  const read = (password?: string, file = stackFile) =>
    readSchedules(gatewayAt(url), { password, stackFile: file, environment: { HOURLY: "0 * * * *" } });
  expect(await read(auth.password)).toEqual(new Map([["backup-a", daily.schedule]]));
  expect(await read("another")).toEqual(new Map([["backup-c", "0 * * * *"]]));
  expect(await read(undefined, `${stackFile}.gone`)).toBeUndefined();
});
