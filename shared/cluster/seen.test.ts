import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "./client.ts";
import { podSource } from "./pods.ts";
import { see, until } from "./seen.ts";

/** An API that lists the pods that there are, and tells a watch what the test lets it tell. */
async function api() {
  const state = { pods: [] as V1Pod[], status: 200, refused: 0, watches: [] as ServerResponse[] };
  const server = createServer((request, response) => {
    const isWatch = request.url?.includes("watch=true");
    if (state.status !== 200) {
      state.refused += 1;
      return void response.writeHead(state.status).end("{}");
    }
    response.setHeader("content-type", "application/json");
    if (isWatch) {
      state.watches.push(response);
      response.flushHeaders();
      return;
    }
    response.end(JSON.stringify({ items: state.pods, metadata: { resourceVersion: "1" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  config.loadFromClusterAndUser(
    { name: "test", server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: "me" },
  );
  const tell = (type: string, object: object) => state.watches.at(-1)?.write(`${JSON.stringify({ type, object })}\n`);
  return { state, tell, cluster: connect(config) };
}

const pod = (name: string): V1Pod => ({ metadata: { name, uid: name } });

/** Waits until there are so many pods. */
function untilCount({ cluster }: Awaited<ReturnType<typeof api>>, count: number, withinMs = 60_000, awayMs = 60_000) {
  return until(
    (watching) => {
      const pods = see(cluster, podSource(cluster, "games"), watching);
      return { sources: [pods], decide: () => (pods.items?.length === count ? names(pods.items) : undefined) };
    },
    { withinMs, awayMs },
  );
}
const names = (pods: readonly V1Pod[]) => pods.map(({ metadata }) => metadata?.name).join();

test("until() sees what is there, what comes, what changes and what goes", async () => {
  const server = await api();
  server.state.pods = [pod("a")];
  expect(await untilCount(server, 1)).toEqual({ result: "a" });
  const two = untilCount(server, 2);
  await expect.poll(() => server.state.watches.length).toBe(2);
  server.tell("MODIFIED", pod("a"));
  server.tell("ADDED", pod("b"));
  expect(await two).toEqual({ result: "a,b" });
  const none = untilCount(server, 0);
  await expect.poll(() => server.state.watches.length).toBe(3);
  server.tell("DELETED", pod("a"));
  expect(await none).toEqual({ result: "" });
});

test.each([
  ["ends", (watch: ServerResponse) => void watch.end()],
  ["breaks", (watch: ServerResponse) => void watch.destroy()],
  ["is too old (410)", (watch: ServerResponse) => void watch.write(`{"type":"ERROR","object":{"code":410}}\n`)],
])("until() lists again when its watch %s, so it misses nothing", async (_, end) => {
  const server = await api();
  const one = untilCount(server, 1);
  await expect.poll(() => server.state.watches.length).toBe(1);
  server.state.pods = [pod("a")];
  end(server.state.watches[0] as ServerResponse);
  expect(await one).toEqual({ result: "a" });
});

test("until() gives up when its time is over, in which the API's absence does not count", async () => {
  const server = await api();
  expect(await untilCount(server, 1, 50)).toMatchObject({ over: "time" });
  server.state.status = 503;
  const one = untilCount(server, 1, 50);
  // The second time is later than its own time would allow.
  await expect.poll(() => server.state.refused).toBe(2);
  server.state.pods = [pod("a")];
  server.state.status = 200;
  expect(await one).toEqual({ result: "a" });
  server.state.status = 503;
  expect(await untilCount(server, 1, 60_000, 50)).toMatchObject({ over: "away", error: { code: 503 } });
});

test("until() fails as its decision fails, and ends with its signal", async () => {
  const { cluster } = await api();
  const source = podSource(cluster, "games");
  const decide = () => {
    throw new Error("another one has it");
  };
  const limits = { withinMs: 60_000, awayMs: 60_000 };
  await expect(until((watching) => ({ sources: [see(cluster, source, watching)], decide }), limits)).rejects.toThrow(
    "another one has it",
  );
  const stop = new AbortController();
  const waiting = until((watching) => ({ sources: [see(cluster, source, watching)], decide: () => undefined }), {
    ...limits,
    signal: stop.signal,
  });
  stop.abort(new Error("cancelled"));
  await expect(waiting).rejects.toThrow("cancelled");
});
