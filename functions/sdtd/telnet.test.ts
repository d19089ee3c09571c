import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { bannerOf } from "../../deploy/local/lab/sdtd/game.ts";
import { serveTelnet, type TelnetServerOptions } from "../../deploy/local/lab/sdtd/telnet-server.ts";
import { connectTelnet } from "./telnet.ts";
import { readLines } from "./telnet-lines.ts";

const password = "pass wörd";
const soon = { host: "127.0.0.1", password, timeoutMs: 5000 };
const played = { world: "West Wikibi Territory", game: "FoundationRWG" };

/** The console of the lab's server; one command that exists, beside those of the test. */
async function game(options: Partial<TelnetServerOptions> = {}) {
  const run = async (line: string) => (line.startsWith("echo ") ? [`said ${line.slice(5)}`] : undefined);
  const server = await serveTelnet({ port: 0, password, banner: bannerOf(played), run, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** A server that says what the test says, and hands on each line that comes. */
async function fake(onConnect: (socket: Socket) => void, onLine: (line: string, socket: Socket) => void = () => {}) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onConnect(socket);
    let text = "";
    socket.on("data", (bytes) => {
      const lines = (text + bytes).split("\r\n");
      text = lines.pop() as string;
      for (const line of lines) onLine(line, socket);
    });
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const greeting = `${bannerOf(played).join("\r\n")}\r\n`;
const fence = (line: string) => `*** ERROR: unknown command '${line}'\r\n`;

async function linesOf(...pieces: (string | number[])[]): Promise<string[]> {
  const lines = [];
  const stream = async function* () {
    for (const piece of pieces) yield Buffer.from(piece as string);
  };
  for await (const line of readLines(stream())) lines.push(line);
  return lines;
}

test("readLines() cuts lines, however the network cut them, and keeps what is not ASCII", async () => {
  expect(await linesOf("one\r\ntwö\r\n", "thr", "ee\n\r\n")).toEqual(["one", "twö", "three", ""]);
  const bytes = [...Buffer.from("Größe €\r\n")];
  expect(await linesOf(...bytes.map((byte) => [byte]))).toEqual(["Größe €"]);
});

test("readLines() leaves out NULs and telnet's own commands", async () => {
  const will = [0xff, 251, 1];
  expect(await linesOf(will, "Please", [0, 0], " enter", [0xff], [253], [3], " password:\r\n", [0])).toEqual([
    "Please enter password:",
  ]);
  expect(await linesOf([0xff, 241], "a\n")).toEqual(["a"]);
});

test("readLines() takes a prompt without an end for a line, and refuses a line that never ends", async () => {
  expect(await linesOf("Please enter password:", "\r\nnext\r\n")).toEqual(["Please enter password:", "", "next"]);
  await expect(linesOf("x".repeat(2 << 20))).rejects.toMatchObject({ kind: "protocol" });
});

test("connectTelnet() logs in, tells what is played, and carries commands and answers", async () => {
  const { port } = await game();
  const telnet = await connectTelnet({ ...soon, port });
  expect(telnet).toMatchObject(played);
  expect(await telnet.command("echo hello")).toEqual(["said hello"]);
  expect(await telnet.command("nonsense")).toEqual(["*** ERROR: unknown command 'nonsense'"]);
  telnet.close();
});

test("connectTelnet() needs no password where none is asked for", async () => {
  const { port } = await game({ password: "" });
  const telnet = await connectTelnet({ ...soon, port, password: undefined });
  expect(await telnet.command("echo x")).toEqual(["said x"]);
  telnet.close();
});

test("connectTelnet() understands NULs, negotiation and lines of the log before the banner's end", async () => {
  const port = await fake(
    (socket) => {
      socket.write(Buffer.from([0xff, 253, 3, 0xff, 251, 1]));
      socket.write("Please enter password:\r\n\0\0");
    },
    (line, socket) => {
      if (line === password) {
        const [first, ...others] = greeting.split("\r\n");
        socket.write(`Logon successful.\r\n\r\n${first}\r\n2025-02-23T19:39:43 1397.387 INF Time: 9.1m\r\n`);
        socket.write(others.join("\r\n"));
      } else socket.write(fence(line));
    },
  );
  const telnet = await connectTelnet({ ...soon, port });
  expect(telnet.world).toBe(played.world);
  telnet.close();
});

test("connectTelnet() notices a wrong password, and one that is missing, with a single try", async () => {
  let failed = 0;
  const port = await fake(
    (socket) => socket.write("Please enter password:\r\n"),
    (_, socket) => {
      failed += 1;
      socket.write("Password incorrect, please enter password:\r\n");
    },
  );
  await expect(connectTelnet({ ...soon, port })).rejects.toMatchObject({ kind: "wrong_password" });
  await expect(connectTelnet({ ...soon, port, password: "" })).rejects.toMatchObject({
    kind: "wrong_password",
    message: expect.stringContaining("none is set"),
  });
  await expect(connectTelnet({ ...soon, port, password: "a\nshutdown" })).rejects.toMatchObject({
    kind: "wrong_password",
  });
  expect(failed).toBe(1);
});

test("connectTelnet() says that it is blocked after too many failed logins, and comes in when the time is over", async () => {
  const { port } = await game({ failedLogins: 3, blockMs: 300 });
  const wrong = () => connectTelnet({ ...soon, port, password: "wrong" });
  for (const _ of [1, 2]) await expect(wrong()).rejects.toMatchObject({ kind: "wrong_password" });
  await expect(wrong()).rejects.toMatchObject({ kind: "blocked", message: expect.stringContaining("too many") });
  await expect(connectTelnet({ ...soon, port })).rejects.toMatchObject({
    kind: "blocked",
    message: expect.stringContaining("at once"),
  });
  await expect.poll(() => connectTelnet({ ...soon, port }).then((telnet) => telnet.close())).toBeUndefined();
});

test("command() leaves out the server's log, also lines that look like an answer", async () => {
  const noise: (() => void)[] = [];
  const run = async (line: string) => {
    for (const say of noise) say();
    return line.startsWith("lp") ? ["0. id=171, A", "Total of 1 in the game"] : undefined;
  };
  const server = await game({ run });
  noise.push(() => server.log("GMSG: Player 'x' said: Total of 9 in the game"));
  const telnet = await connectTelnet({ ...soon, port: server.port });
  expect(await telnet.command("lp")).toEqual(["0. id=171, A", "Total of 1 in the game"]);
  telnet.close();
});

test("command() waits as long as the game is busy", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { port } = await game({
    run: async (line) => (line === "saveworld" ? promise.then(() => ["World saved"]) : undefined),
  });
  const telnet = await connectTelnet({ ...soon, port });
  const answer = telnet.command("saveworld");
  expect(await Promise.race([answer, new Promise((done) => setImmediate(done, "still saving"))])).toBe("still saving");
  resolve();
  expect(await answer).toEqual(["World saved"]);
  telnet.close();
});

test("command() tells that the world is not loaded yet", async () => {
  const { port } = await game({ started: () => false });
  const telnet = await connectTelnet({ ...soon, port });
  await expect(telnet.command("saveworld")).rejects.toMatchObject({ kind: "not_started" });
});

test("command() refuses a second line", async () => {
  const { port } = await game();
  const telnet = await connectTelnet({ ...soon, port });
  for (const line of ["say hi\r\nshutdown", "a\nb", "a\rb", "a\0b"]) {
    await expect(telnet.command(line)).rejects.toThrow(RangeError);
  }
  expect(await telnet.command("echo still here")).toEqual(["said still here"]);
  telnet.close();
});

test("connectTelnet() and command() give up on a server that says nothing", async () => {
  await expect(connectTelnet({ ...soon, port: await fake(() => {}), timeoutMs: 30 })).rejects.toMatchObject({
    kind: "timeout",
  });
  const port = await fake((socket) => socket.write(greeting));
  const telnet = await connectTelnet({ ...soon, port, timeoutMs: 50 });
  await expect(telnet.command("saveworld")).rejects.toMatchObject({
    kind: "timeout",
    message: expect.stringContaining("saveworld"),
  });
});

test("connectTelnet() says so when nobody listens, or something else does", async () => {
  await expect(connectTelnet({ ...soon, port: 1 })).rejects.toMatchObject({ kind: "unreachable" });
  const web = await fake((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(connectTelnet({ ...soon, port: web })).rejects.toMatchObject({ kind: "unreachable" });
});

test("command() notices that the connection is reset", async () => {
  const port = await fake(
    (socket) => socket.write(greeting),
    (_, socket) => socket.resetAndDestroy(),
  );
  const telnet = await connectTelnet({ ...soon, port });
  await expect(telnet.command("saveworld")).rejects.toMatchObject({ kind: "unreachable" });
  await expect(telnet.command("saveworld")).rejects.toMatchObject({ kind: "unreachable" });
});

test("command() ends at once when the run is cancelled", async () => {
  const cancel = new AbortController();
  const port = await fake(
    (socket) => socket.write(greeting),
    () => cancel.abort(),
  );
  const telnet = await connectTelnet({ ...soon, port, signal: cancel.signal });
  await expect(telnet.command("saveworld")).rejects.toMatchObject({ name: "AbortError" });
});
