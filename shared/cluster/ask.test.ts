import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { expect, onTestFinished, test } from "vitest";
import { ask, isConflict, isInvalid, isNotFound } from "./ask.ts";
import { connect } from "./client.ts";

/** An API that answers with one after the other, and then with what was asked for. */
async function apiOf(...answers: ((response: ServerResponse) => void)[]) {
  let asked = 0;
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    const answer = answers[asked];
    asked += 1;
    if (answer) answer(response);
    else response.end(JSON.stringify({ metadata: { name: "box" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const config = new KubeConfig();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: "test", server: address, skipTLSVerify: true }, { name: "someone" });
  const { core } = connect(config, 100);
  const read = () => core.readNamespace({ name: "box" });
  return { read, asked: () => asked };
}

const answer =
  (status: number, message = "", headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end(JSON.stringify({ kind: "Status", code: status, message }));

test("ask() tries again what passes: a restart, a reset, silence, throttling, a token that is being renewed", async () => {
  const { read, asked } = await apiOf(
    answer(503),
    answer(429),
    answer(401),
    answer(500),
    (response) => response.destroy(),
    () => {},
  );
  expect((await ask("read the box", read)).metadata?.name).toBe("box");
  expect(asked()).toBe(7);
});

test("ask() waits as long as it is told by an API that throttles, and not longer than it may", async () => {
  const patient = await apiOf(answer(429, "", { "retry-after": "1" }));
  const beganMs = performance.now();
  await ask("read the box", patient.read);
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(990);

  const hasty = await apiOf(answer(429, "too many requests", { "retry-after": "60" }));
  await expect(ask("read the box", hasty.read)).rejects.toMatchObject({
    code: "cluster_unreachable",
    message: "Cannot read the box: the cluster's API does not answer: too many requests",
  });
  expect(hasty.asked()).toBe(1);
});

test("ask() says that the cluster is away when it stays away", async () => {
  const { read, asked } = await apiOf(...Array.from({ length: 20 }, () => answer(503, "apiserver is shutting down")));
  await expect(ask("read the box", read, { withinMs: 400 })).rejects.toMatchObject({
    code: "cluster_unreachable",
    message: expect.stringContaining("apiserver is shutting down"),
    hint: expect.stringContaining("kubectl"),
  });
  expect(asked()).toBeGreaterThan(1);
});

test("ask() ends when its caller is gone", async () => {
  const { read } = await apiOf(...Array.from({ length: 20 }, () => answer(503)));
  const signal = AbortSignal.timeout(50);
  await expect(ask("read the box", read, { signal })).rejects.toThrow();
});

test("ask() asks once what the API has decided: what is not allowed, not there, there already, not valid", async () => {
  const forbidden = await apiOf(answer(403, 'pods "box" is forbidden'));
  await expect(ask("read the box", forbidden.read)).rejects.toMatchObject({
    code: "cluster_refused",
    message: 'Cannot read the box: the cluster refuses it: pods "box" is forbidden',
  });
  for (const [status, isIt] of [
    [404, isNotFound],
    [409, isConflict],
    [422, isInvalid],
  ] as const) {
    const { read, asked } = await apiOf(answer(status));
    const error = await ask("read the box", read).catch((thrown) => thrown);
    expect([status, isIt(error), asked()]).toEqual([status, true, 1]);
  }
});

test("ask() tries nothing again that is a mistake in the program", async () => {
  let tries = 0;
  const mistaken = async () => {
    tries += 1;
    throw new TypeError("undefined is not a function");
  };
  await expect(ask("read the box", mistaken)).rejects.toThrow("undefined is not a function");
  expect(tries).toBe(1);
});
