import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { startNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { openBell } from "../../events/nats/bell.ts";
import { busAt, ended, ownNats } from "./testing.ts";

function bellAt(address: string) {
  const ring = vi.fn();
  const bell = openBell(address, ring);
  onTestFinished(bell.close);
  return { bell, ring };
}
const rung = (ring: () => void) =>
  vi.waitFor(() => expect(ring).toHaveBeenCalledTimes(1), { timeout: 20_000, interval: 10 });

test("openBell() rings once at the next event, for who has the password, and not for what was there before", async () => {
  const nats = await ownNats({ name: "keepsake", password: "p@ss/word" });
  const address = nats.url.replace("nats://", `nats://keepsake:${encodeURIComponent("p@ss/word")}@`);
  const { publisher } = await busAt(address);
  await publisher.publish(ended("one"));
  const { bell, ring } = bellAt(address);
  expect(await bell.isSet).toBe(true);
  await publisher.publish(ended("two"));
  await rung(ring);
  await publisher.publish(ended("three"));
  expect(ring).toHaveBeenCalledTimes(1);
});

test("openBell() rings when a server that was lost is back: something may have come meanwhile", async () => {
  const nats = await ownNats();
  const { bell, ring } = bellAt(nats.url);
  expect(await bell.isSet).toBe(true);
  await nats.stop();
  await startNatsServer({ folder: nats.folder });
  await rung(ring);
});

test("openBell() is set while its server is away, and rings when it is there; the first of several need not be", async () => {
  const nats = await ownNats();
  await nats.stop();
  const { bell, ring } = bellAt(nats.url);
  expect(await bell.isSet).toBe(true);
  await startNatsServer({ folder: nats.folder });
  await rung(ring);

  const second = bellAt(`nats://127.0.0.1:1,${nats.url}`);
  expect(await second.bell.isSet).toBe(true);
  await (await busAt(nats.url)).publisher.publish(ended("one"));
  await rung(second.ring);
});

test("openBell() says that it cannot hear a server that wants TLS, and hears one that asks whether it is there", async () => {
  const said: string[] = [];
  let info = '{"tls_required":true}';
  const server = createServer((socket: Socket) => {
    socket.write(`INFO ${info} \r\n`);
    socket.on("data", (bytes) => {
      for (const line of bytes.toString().split("\r\n")) {
        said.push(line.split(" ")[0] ?? "");
        if (line === "PING") socket.write("PO");
        if (line === "PING") setImmediate(() => socket.write("NG\r\nPING\r\n"));
      }
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = `nats://127.0.0.1:${(server.address() as { port: number }).port}`;
  expect(await bellAt(address).bell.isSet).toBe(false);
  info = "{}";
  expect(await bellAt(address).bell.isSet).toBe(true);
  await vi.waitFor(() => expect(said).toContain("PONG"));
});
