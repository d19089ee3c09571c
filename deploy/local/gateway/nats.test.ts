import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "../../../shared/config.ts";
import { Failure } from "../../../shared/failures.ts";
import { boxType, tempFolder } from "../../../shared/testing.ts";
import { gatewayNats } from "./nats.ts";

const configIn = async (text = "") => {
  const folder = await tempFolder();
  await mkdir(join(folder, "secrets"));
  return parseConfig(`state: ./state\nsecrets: ./secrets\n${text}`, join(folder, "keepsake.yaml"), [boxType]);
};
const noServer = () => Promise.reject(new Error("no server is to be started here"));

test("gatewayNats() takes NATS_URL before the secret, the secret before the setting, and shows no password", async () => {
  const config = await configIn("nats: nats://setting:1");
  expect(await gatewayNats(config, undefined, noServer)).toMatchObject({ url: "nats://setting:1" });
  await writeFile(join(config.secrets, "nats-url"), "nats://user:s3cret@secret:2\n");
  const { url, about } = await gatewayNats(config, "", noServer);
  expect([url, about]).toEqual(["nats://user:s3cret@secret:2", "nats://secret:2"]);
  expect((await gatewayNats(config, "nats://environment:3", noServer)).url).toBe("nats://environment:3");
});

test("gatewayNats() goes on without a NATS where no server is installed, and says what to type", async () => {
  const missing = new Failure("tool_missing", "Cannot start NATS", { hint: "Type: sudo apt-get install nats-server" });
  const nats = await gatewayNats(await configIn(), undefined, () => Promise.reject(missing));
  expect(nats.url).toBeUndefined();
  expect(nats.about).toBe(
    "none, events are only logged: nats-server is not installed. Type: sudo apt-get install nats-server",
  );
  await nats.stop();
});
