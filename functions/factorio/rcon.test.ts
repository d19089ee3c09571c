import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { serveRcon } from "../../deploy/local/lab/factorio/rcon-server.ts";
import { connectRcon } from "./rcon.ts";
import { encodePacket, packetType, readPackets } from "./rcon-packets.ts";

const password = "päss word";
const soon = { host: "127.0.0.1", password, timeoutMs: 5000 };

/** A server that does with each packet what the test says. */
async function fakeServer(
  onPacket: (packet: { id: number; type: number; body: string }, socket: Socket) => void,
): Promise<number> {
  const serve = async (socket: Socket) => {
    for await (const packet of readPackets(socket)) onPacket(packet, socket);
  };
  // A connection that the client ends is what several of these tests are about.
  const server = createServer((socket) => void serve(socket).catch(() => {}));
  const sockets: Socket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function game(run: (line: string) => { text: string; after?: () => Promise<void> }): Promise<number> {
  const server = await serveRcon({ port: 0, password, run });
  onTestFinished(() => server.close());
  return server.port;
}

test("connectRcon() logs in and carries commands and answers", async () => {
  const port = await game((line) => ({ text: `you said ${line} €` }));
  const rcon = await connectRcon({ ...soon, port });
  expect(await rcon.command("/time")).toBe("you said /time €");
  expect(await rcon.command("hello there")).toBe("you said hello there €");
  rcon.close();
});

test("connectRcon() notices a wrong password", async () => {
  const port = await game(() => ({ text: "" }));
  await expect(connectRcon({ ...soon, port, password: "other" })).rejects.toMatchObject({
    name: "RconError",
    kind: "wrong_password",
  });
});

test("connectRcon() says so when nobody listens", async () => {
  const port = await game(() => ({ text: "" }));
  const free = await fakeServer(() => {});
  expect(free).not.toBe(port);
  await expect(connectRcon({ ...soon, port: 1 })).rejects.toMatchObject({ kind: "unreachable" });
});

test("connectRcon() understands packets cut into single bytes", async () => {
  const port = await fakeServer(({ id, type, body }, socket) => {
    const answer = encodePacket({
      id,
      type: type === packetType.auth ? packetType.authResponse : packetType.value,
      body: `${body}!`,
    });
    socket.setNoDelay(true);
    for (const byte of answer) socket.write(Buffer.of(byte));
  });
  const rcon = await connectRcon({ ...soon, port });
  expect(await rcon.command("/seed")).toBe("/seed!");
  rcon.close();
});

test("command() puts an answer of several packets together, and ignores those of others", async () => {
  const port = await fakeServer(({ id, type, body }, socket) => {
    const say = (answerId: number, text: string) =>
      socket.write(encodePacket({ id: answerId, type: packetType.value, body: text }));
    if (type === packetType.auth) {
      say(0, "");
      socket.write(encodePacket({ id, type: packetType.authResponse, body: "" }));
    } else if (body === "/version") say(id, "2.0.72");
    else {
      say(id, "one ");
      say(777, "noise");
      say(id, "two");
    }
  });
  const rcon = await connectRcon({ ...soon, port });
  expect(await rcon.command("/players")).toBe("one two");
  expect(await rcon.command("/players")).toBe("one two");
  rcon.close();
});

test("command() waits while the game saves and answers nobody", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const port = await game((line) =>
    line === "/server-save" ? { text: "Saving the map...", after: () => promise } : { text: "" },
  );
  const rcon = await connectRcon({ ...soon, port });
  const answer = rcon.command("/server-save");
  expect(await Promise.race([answer, new Promise((done) => setImmediate(done, "still saving"))])).toBe("still saving");
  resolve();
  expect(await answer).toBe("Saving the map...");
  rcon.close();
});

test("command() gives up on a server that answers nothing any more", async () => {
  const port = await fakeServer(({ id, type }, socket) => {
    if (type === packetType.auth) socket.write(encodePacket({ id, type: packetType.authResponse, body: "" }));
  });
  const rcon = await connectRcon({ ...soon, port, timeoutMs: 30 });
  await expect(rcon.command("/server-save")).rejects.toMatchObject({
    kind: "timeout",
    message: expect.stringContaining("/server-save"),
  });
});

test("connectRcon() gives up on a port that accepts and says nothing", async () => {
  const port = await fakeServer(() => {});
  await expect(connectRcon({ ...soon, port, timeoutMs: 30 })).rejects.toMatchObject({ kind: "timeout" });
});

test("connectRcon() notices that something else listens there", async () => {
  const port = await fakeServer((_, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(connectRcon({ ...soon, port })).rejects.toMatchObject({ kind: "protocol" });
});

test("command() notices that the server goes away", async () => {
  const port = await fakeServer(({ id, type }, socket) => {
    if (type === packetType.auth) socket.write(encodePacket({ id, type: packetType.authResponse, body: "" }));
    else socket.destroy();
  });
  const rcon = await connectRcon({ ...soon, port });
  await expect(rcon.command("/time")).rejects.toMatchObject({ kind: "unreachable" });
});

test("command() ends at once when the run is cancelled", async () => {
  const cancel = new AbortController();
  const port = await fakeServer(({ id, type }, socket) => {
    if (type === packetType.auth) socket.write(encodePacket({ id, type: packetType.authResponse, body: "" }));
    else cancel.abort();
  });
  const rcon = await connectRcon({ ...soon, port, signal: cancel.signal });
  await expect(rcon.command("/time")).rejects.toMatchObject({ name: "AbortError" });
});

test("command() refuses a second line", async () => {
  const port = await game(() => ({ text: "" }));
  const rcon = await connectRcon({ ...soon, port });
  await expect(rcon.command("hello\n/quit")).rejects.toThrow(RangeError);
  rcon.close();
});
