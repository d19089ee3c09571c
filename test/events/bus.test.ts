import { execFile, spawn } from "node:child_process";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { promisify } from "node:util";
import { jetstream } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { freePort } from "../../deploy/local/lab/free-port.ts";
import { findNatsServer } from "../../deploy/local/lab/nats/find-nats-server.ts";
import { startNatsServer, wipeStore } from "../../deploy/local/lab/nats/server.ts";
import { openBus } from "../../events/bus.ts";
import type { Event } from "../../events/event.ts";
import type { Delivery } from "../../events/inbox.ts";
import { silentLog } from "../../shared/testing.ts";
import { busAt, ended, idOf, next, ownNats } from "./testing.ts";

/* The bus against real nats-servers. */

const secondsOf = async (work: Promise<unknown>): Promise<number> => {
  const startedMs = performance.now();
  await work.catch(() => {});
  return (performance.now() - startedMs) / 1000;
};

/** The server as its administrator sees it. */
async function administrator(url: string) {
  const nats = await connect({ servers: url });
  onTestFinished(() => nats.close());
  const js = jetstream(nats);
  return { nats, js, manager: await js.jetstreamManager() };
}

async function historyOf(events: AsyncIterable<Event>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of events) ids.push(id);
  return ids;
}

test("openBus() declares the stream: on disk, ninety days, an event's id counts once", async () => {
  const { url } = await ownNats();
  await busAt(url);
  const { manager } = await administrator(url);
  expect((await manager.streams.info("backups")).config).toMatchObject({
    subjects: ["backups.>", "mapshot.>"],
    storage: "file",
    retention: "limits",
    discard: "old",
    max_age: nanos(90 * 86_400_000),
    max_bytes: 256 << 20,
    duplicate_window: nanos(7 * 86_400_000),
  });
});

test("openBus() mends a stream that is configured otherwise, keeps its events and what is not its own", async () => {
  const { url } = await ownNats();
  const { manager } = await administrator(url);
  await manager.streams.add({ name: "backups", subjects: ["backups.>"], max_age: nanos(1e6), max_msg_size: 99_999 });
  const [bus] = await Promise.all([busAt(url), busAt(url), busAt(url)]);
  await bus.publisher.publish(ended("one"));
  await busAt(url);
  const { config, state } = await manager.streams.info("backups");
  expect(config).toMatchObject({ subjects: ["backups.>", "mapshot.>"], max_age: nanos(90 * 86_400_000) });
  expect([config.max_msg_size, state.messages]).toEqual([99_999, 1]);
});

test("publish() resolves once the event is stored; the same id is stored once", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  await bus.publisher.publish(ended("one"));
  await bus.publisher.publish(ended("one"));
  await (await busAt(url)).publisher.publish(ended("one"));
  const { manager } = await administrator(url);
  expect((await manager.streams.info("backups")).state.messages).toBe(1);
});

test("publish() shortens what NATS would not take, so that nothing waits behind it for ever", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const names = Array.from({ length: 20_000 }, (_, n) => `${n}`.padEnd(99));
  await bus.publisher.publish(ended("long", { removed: names, warnings: ["one"], point: { files: names } }));
  const [given] = (await next(await bus.inbox("notify"), 1)) as [Delivery];
  expect(given.event.data).toEqual({
    ...ended("long").data,
    ...{ removed: names.slice(0, 20), warnings: ["one"], point: { files: names.slice(0, 20) }, shortened: true },
  });
});

test("take() gives what waits, oldest first, at once; what was taken never comes again", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  for (const name of ["one", "two", "three"]) await bus.publisher.publish(ended(name));
  const inbox = await bus.inbox("notify");
  const given = (await inbox.take(10, 30_000)) as Delivery[];
  expect(given.map(({ event, attempt }) => [event.id, attempt])).toEqual(
    ["one", "two", "three"].map((name) => [ended(name).id, 1]),
  );
  expect(given[0]?.event).toEqual(ended("one"));
  expect(Math.abs(Date.now() - Number(given[0]?.storedAt))).toBeLessThan(60_000);
  for (const delivery of given) await delivery.taken();
  await bus.close();
  const again = await busAt(url);
  await again.publisher.publish(ended("four"));
  expect((await next(await again.inbox("notify"), 1)).map(idOf)).toEqual([ended("four").id]);
  expect(await (await again.inbox("notify")).take(1, 0)).toEqual([]);
});

test("inbox() mends a durable that is configured otherwise, and forgets nothing of what it took", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const { manager } = await administrator(url);
  for (const name of ["one", "two"]) await bus.publisher.publish(ended(name));
  await manager.consumers.add("backups", { durable_name: "notify", ack_policy: "explicit", ack_wait: nanos(999e6) });
  const [first] = await next(await bus.inbox("notify"), 1);
  await first?.taken();
  await manager.consumers.update("backups", "notify", { ack_wait: nanos(1e6), max_ack_pending: 3 });
  expect((await next(await bus.inbox("notify"), 1)).map(idOf)).toEqual([ended("two").id]);
  expect((await manager.consumers.info("backups", "notify")).config).toMatchObject({
    ack_wait: nanos(30_000),
    max_ack_pending: 10_000,
  });
});

test("take() gives every consumer its own copy, and waits for what comes", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const [notify, status] = [await bus.inbox("notify"), await bus.inbox("status")];
  const waiting = notify.take(5, 30_000);
  await bus.publisher.publish(ended("one"));
  expect((await waiting).map(idOf)).toEqual([ended("one").id]);
  expect((await next(status, 1)).map(idOf)).toEqual([ended("one").id]);
});

test("take() ends when it is told to, and when the inbox is closed", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const inbox = await bus.inbox("notify");
  const stop = new AbortController();
  const [one, two] = [inbox.take(5, 600_000, stop.signal), (await bus.inbox("status")).take(1, 600_000)];
  stop.abort();
  expect(await one).toEqual([]);
  const another = inbox.take(5, 600_000);
  await inbox.close();
  expect(await another).toEqual([]);
  await bus.close();
  await two.catch(() => {});
});

test("later() gives an event again, not before; what nobody took comes again", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const { manager } = await administrator(url);
  const inbox = await bus.inbox("notify");
  await bus.publisher.publish(ended("one"));
  const [first] = (await next(inbox, 1)) as [Delivery];
  const atMs = performance.now();
  await first.later(700);
  const [second] = (await next(inbox, 1)) as [Delivery];
  expect(performance.now() - atMs).toBeGreaterThanOrEqual(690);
  expect([second.event.id, second.attempt]).toEqual([ended("one").id, 2]);
  // What its holder forgot, or died over: in half a minute, here sooner.
  expect((await manager.consumers.info("backups", "notify")).config.ack_wait).toBe(nanos(30_000));
  await manager.consumers.update("backups", "notify", { ack_wait: nanos(1000) });
  const [third] = (await next(inbox, 1)) as [Delivery];
  expect(third.attempt).toBe(3);
  await third.taken();
});

test("working() keeps an event from coming again", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const { manager } = await administrator(url);
  const inbox = await bus.inbox("notify");
  await manager.consumers.update("backups", "notify", { ack_wait: nanos(1500) });
  await bus.publisher.publish(ended("one"));
  const [given] = (await next(inbox, 1)) as [Delivery];
  const beat = setInterval(() => void given.working(), 200);
  expect(await inbox.take(1, 2500)).toEqual([]);
  clearInterval(beat);
  await given.taken();
});

test("take() hands over what is no event, apart from the events", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const { nats } = await administrator(url);
  nats.publish("backups.completed", "not json");
  nats.publish("backups.completed", JSON.stringify({ ...ended("old"), type: "keepsake.backups.unheard-of.v9" }));
  nats.publish("backups.failed", JSON.stringify(ended("elsewhere")));
  await nats.flush();
  await bus.publisher.publish(ended("one"));
  const given = await next(await bus.inbox("notify"), 4);
  expect(given.map(idOf)).toEqual([
    expect.stringContaining("it is no JSON"),
    expect.stringContaining("it is no event of this version: type"),
    "it says that it is of backups.completed, came on backups.failed",
    ended("one").id,
  ]);
  expect(given[0]).toMatchObject({ raw: Buffer.from("not json"), subject: "backups.completed" });
  for (const one of given) await one.taken();
  expect(await historyOf(bus.history(0))).toEqual([ended("one").id]);
});

test("memory() keeps texts by key, for whoever opens it again", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  const memory = await bus.memory("notify");
  expect(await memory.get("told-1")).toBeUndefined();
  await memory.set("told-1", "one");
  await memory.set("told-1", "zwei ü");
  expect(await (await (await busAt(url)).memory("notify")).get("told-1")).toBe("zwei ü");
  expect(await (await bus.memory("status")).get("told-1")).toBeUndefined();
});

test("history() reads the events since a moment, once, up to the newest at the call", async () => {
  const { url } = await ownNats();
  const bus = await busAt(url);
  expect(await historyOf(bus.history(0))).toEqual([]);
  const names = Array.from({ length: 300 }, (_, n) => `${n}`);
  await Promise.all(names.map((name) => bus.publisher.publish(ended(name))));
  const ids: string[] = [];
  for await (const event of bus.history(0)) {
    ids.push(event.id);
    if (ids.length === 1) await bus.publisher.publish(ended("meanwhile"));
  }
  expect(ids.toSorted()).toEqual(names.map((name) => ended(name).id).toSorted());
  const { js, manager } = await administrator(url);
  const [last] = [await js.streams.get("backups").then((stream) => stream.getMessage({ seq: 301 }))];
  expect(await historyOf(bus.history(Number(last?.time)))).toEqual([ended("meanwhile").id]);
  // Nothing is left of the reading.
  expect((await manager.streams.info("backups")).state.consumer_count).toBe(0);
});

test("a bus whose NATS was killed rejects, and goes on when it is back, with all that was there", async () => {
  const server = await ownNats();
  const bus = await busAt(server.url);
  const [inbox, memory] = [await bus.inbox("notify"), await bus.memory("notify")];
  await bus.publisher.publish(ended("one"));
  await memory.set("a", "kept");
  await server.kill();
  await vi.waitFor(() => expect(bus.connected()).toBe(false));
  await expect(bus.publisher.publish(ended("two"))).rejects.toThrow("NATS is away");
  await expect(inbox.take(1, 0)).rejects.toThrow("NATS is away");
  await expect(memory.get("a")).rejects.toThrow("NATS is away");
  await expect(historyOf(bus.history(0))).rejects.toThrow("NATS is away");
  const again = await startNatsServer({ folder: server.folder });
  expect(again.url).toBe(server.url);
  await vi.waitFor(() => expect(bus.connected()).toBe(true), 10_000);
  await bus.publisher.publish(ended("one"));
  await bus.publisher.publish(ended("two"));
  expect((await next(inbox, 2)).map(idOf)).toEqual([ended("one").id, ended("two").id]);
  expect(await memory.get("a")).toBe("kept");
});

test("a bus whose NATS has lost its store declares everything anew", async () => {
  const server = await ownNats();
  const bus = await busAt(server.url);
  const [inbox, memory] = [await bus.inbox("notify"), await bus.memory("notify")];
  await bus.publisher.publish(ended("one"));
  await server.kill();
  await vi.waitFor(() => expect(bus.connected()).toBe(false));
  await wipeStore(server.folder);
  const again = await startNatsServer({ folder: server.folder });
  expect(again.url).toBe(server.url);
  await vi.waitFor(() => expect(bus.connected()).toBe(true), 10_000);
  expect(await memory.get("a")).toBeUndefined();
  await memory.set("a", "new");
  await bus.publisher.publish(ended("two"));
  expect((await next(inbox, 1)).map(idOf)).toEqual([ended("two").id]);
  expect(await historyOf(bus.history(0))).toEqual([ended("two").id]);
  expect(await memory.get("a")).toBe("new");
});

test("openBus() says what is wrong with the user, without the secret", async () => {
  const { url } = await ownNats({ name: "keepsake", password: "s3cr/t@" });
  const as = (who: string) => openBus(url.replace("//", `//${who}`), { name: "test", log: silentLog });
  const bus = await as(`keepsake:${encodeURIComponent("s3cr/t@")}@`);
  await bus.publisher.publish(ended("one"));
  await bus.close();
  await expect(as("keepsake:wr0ng@")).rejects.toThrow(
    /^Cannot use NATS at nats:\/\/127\.0\.0\.1:\d+: it refuses user "keepsake"/,
  );
  await expect(as("")).rejects.toThrow("it refuses whoever comes without a user");
  for (const who of ["keepsake:wr0ng@", "keepsake:wr0ng@ "]) {
    const error: Error = await as(who).catch((error) => error);
    expect(`${JSON.stringify(error)} ${error.stack} ${error.cause}`).not.toContain("wr0ng");
  }
});

test("openBus() gives up on a NATS that is not there, or that hangs", async () => {
  const sockets: Socket[] = [];
  const hangs = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => hangs.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    hangs.close();
  });
  const { port } = hangs.address() as AddressInfo;
  const open = (at: string) => openBus(at, { name: "test", log: silentLog });
  expect(
    await secondsOf(expect(open("nats://127.0.0.1:1")).rejects.toThrow("Cannot reach NATS at nats://127.0.0.1:1")),
  ).toBeLessThan(6);
  const hung = open(`nats://127.0.0.1:${port}`);
  await expect(hung).rejects.toThrow(/Cannot reach NATS at/);
  await expect(open("http://127.0.0.1:4222")).rejects.toThrow("Cannot use the address of NATS");
});

test("openBus() says so when the server has no JetStream", async () => {
  const port = await freePort();
  const server = spawn(await findNatsServer(), ["-a", "127.0.0.1", "-p", `${port}`], { stdio: "ignore" });
  onTestFinished(() => void server.kill("SIGKILL"));
  const opening = () => openBus(`nats://127.0.0.1:${port}`, { name: "test", log: silentLog });
  await vi.waitFor(() => expect(opening()).rejects.toThrow("JetStream is wanted, this NATS server has none"), 10_000);
});

test("a NATS that hangs makes nobody wait for ever", async () => {
  const server = await ownNats();
  const bus = await busAt(server.url);
  const [inbox, memory] = [await bus.inbox("notify"), await bus.memory("notify")];
  process.kill(server.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(server.pid, "SIGCONT"));
  const stateOf = async () => (await promisify(execFile)("ps", ["-o", "stat=", "-p", `${server.pid}`])).stdout;
  await vi.waitFor(async () => expect(await stateOf()).toMatch(/^T/));
  const results = await Promise.allSettled([
    bus.publisher.publish(ended("one")),
    inbox.take(1, 0),
    memory.get("a"),
    memory.set("a", "b"),
    historyOf(bus.history(0)),
  ]);
  expect(results.map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
  expect(await secondsOf(bus.close())).toBeLessThan(6);
});
