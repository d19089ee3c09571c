import { once } from "node:events";
import { access, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../testing.ts";
import { Door } from "./door.ts";
import { readServeSettings, type ServeSettings } from "./settings.ts";

type Handler = (call: IncomingMessage, answer: ServerResponse) => void;

/** A door before a hand that is there; what it is told is noted. */
async function doorTo(handler: Handler, settings: Partial<ServeSettings> = {}) {
  const folder = await tempFolder();
  const socketPath = join(folder, "answer");
  const server = createServer(handler).listen(socketPath);
  await once(server, "listening");
  const told: string[] = [];
  const hand = {
    take: async () => void told.push("take"),
    release: () => void told.push("release"),
    drain: () => void told.push("drain"),
    async stop() {
      told.push("stop");
      server.close();
    },
  };
  const lockFile = join(folder, ".lock");
  const door = new Door({
    settings: { ...readServeSettings({}), port: 0, host: "127.0.0.1", lockFile, noticeMs: 0, ...settings },
    hand,
    socketPath,
    log: () => {},
  });
  const url = `http://127.0.0.1:${await door.open()}`;
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await door.close();
  });
  const status = async (path = "/", init?: RequestInit) => (await fetch(`${url}${path}`, init)).status;
  return { door, url, told, lockFile, status };
}

const isThere = (path: string) => access(path).then(() => true, () => false); // biome-ignore format: one line reads better
const stream = { "content-type": "text/event-stream" };

test("a door says that it is open, on disk too, and passes everything else on", async () => {
  const { url, lockFile, status, told } = await doorTo((call, answer) => {
    answer.writeHead(207, { "x-path": call.url, "x-was": call.headers["x-is"], "set-cookie": ["a=1", "b=2"] });
    call.pipe(answer);
  });
  expect([await status("/_/health"), await status("/_/ready"), await readFile(lockFile, "utf8")]).toEqual([
    200,
    200,
    "",
  ]);
  expect(told).toEqual([]);
  const body = "x".repeat(300_000);
  const answer = await fetch(`${url}/runs/1?wait=5`, { method: "POST", body, headers: { "x-is": "this" } });
  expect(answer.status).toBe(207);
  expect([answer.headers.get("x-path"), answer.headers.get("x-was")]).toEqual(["/runs/1?wait=5", "this"]);
  expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(await answer.text()).toBe(body);
  await expect.poll(() => told).toEqual(["take", "release"]);
});

test("a door passes on what comes as it comes, and that a caller has gone", async () => {
  const gone = Promise.withResolvers<void>();
  const { url } = await doorTo((_, answer) => {
    answer.writeHead(200, stream).write("data: 1\n\n");
    answer.once("close", gone.resolve);
  });
  const stop = new AbortController();
  const { body } = await fetch(url, { signal: stop.signal });
  const { value } = (await body?.getReader().read()) ?? {};
  expect(new TextDecoder().decode(value)).toBe("data: 1\n\n");
  stop.abort();
  await gone.promise;
});

test("a door takes so many calls at once and no more, but always says how it is", async () => {
  const held: ServerResponse[] = [];
  const { url, status } = await doorTo((_, answer) => held.push(answer), { maxInflight: 2 });
  const calls = [fetch(url), fetch(url)];
  await expect.poll(() => held.length).toBe(2);
  const refused = await fetch(url, { method: "POST" });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  expect([await status("/_/health"), await status("/_/ready")]).toEqual([200, 429]);
  for (const answer of held) answer.end("done");
  for (const call of calls) expect(await (await call).text()).toBe("done");
  await expect.poll(() => status("/_/ready")).toBe(200);
});

test("a door gives up what does not begin in time, sooner when the caller says so, but nothing that is followed live", async () => {
  const { status, url } = await doorTo((call, answer) => {
    if (call.url === "/late") setTimeout(() => answer.writeHead(200, stream).end("data: late\n\n"), 150);
  }, { execTimeoutMs: 100 }); // biome-ignore format: one line reads better
  expect(await status()).toBe(504);
  expect(await status("/", { headers: { "x-timeout": "10ms" } })).toBe(504);
  const followed = await fetch(`${url}/late`, { headers: { accept: "text/event-stream" } });
  expect(await followed.text()).toBe("data: late\n\n");
});

test("a door says that a function has come to its end, and shows that an answer is cut off", async () => {
  const { status, url } = await doorTo((call, answer) => {
    if (call.url === "/half") answer.writeHead(200, { "content-length": "10" }).write("half");
    setImmediate(() => call.socket.destroy());
  });
  expect(await status()).toBe(500);
  await expect(fetch(`${url}/half`).then((answer) => answer.text())).rejects.toThrow();
});

test("a closing door wants no calls, takes those that come, lets answers end and streams where they are", async () => {
  const held = new Map<string, ServerResponse>();
  const { door, url, status, told, lockFile } = await doorTo(
    (call, answer) => {
      if (call.url === "/follow") answer.writeHead(200, stream).write("data: 1\n\n");
      else if (call.url === "/late") answer.end("in time");
      else held.set(call.url ?? "", answer);
    },
    { noticeMs: 200 },
  );
  const followed = await fetch(`${url}/follow`, { headers: { accept: "text/event-stream" } });
  const waiting = fetch(`${url}/wait`);
  await expect.poll(() => held.size).toBe(1);

  const closed = door.close();
  expect([await status("/_/health"), await status("/_/ready")]).toEqual([503, 503]);
  await expect.poll(() => isThere(lockFile)).toBe(false);
  const late = await ask(`${url}/late`);
  expect(late).toEqual({ status: 200, connection: "close" });
  expect(told).toContain("drain");
  // A stream is whole as far as it goes: the client asks for the rest elsewhere.
  expect(await followed.text()).toBe("data: 1\n\n");
  expect(told).not.toContain("stop");
  held.get("/wait")?.end("done");
  expect(await (await waiting).text()).toBe("done");
  await closed;
  expect(told.at(-1)).toBe("stop");
  await expect(fetch(url)).rejects.toThrow();
});

test("a closing door cuts off what does not end within the grace", async () => {
  const { door, url, told } = await doorTo(() => {}, { graceMs: 3050 });
  const waiting = fetch(url);
  await expect.poll(() => told).toContain("take");
  await Promise.all([expect(waiting).rejects.toThrow(), door.close()]);
  expect(told.at(-1)).toBe("stop");
});

/** fetch hides the header. */
async function ask(url: string) {
  const call = request(url).end();
  const [answer] = (await once(call, "response")) as [IncomingMessage];
  answer.resume();
  return { status: answer.statusCode, connection: answer.headers.connection };
}
