import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "./client.ts";

/** A server of the API as far as `answer` goes. */
async function serverOf(answer: Parameters<typeof createServer>[1]): Promise<KubeConfig> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: "test", server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, skipTLSVerify: true },
    { name: "someone", token: "a-token" },
  );
  return config;
}

test("connect() asks with the account's token", async () => {
  let asked: string | undefined;
  const config = await serverOf((request, response) => {
    asked = request.headers.authorization;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ metadata: { name: "box" } }));
  });
  const { core } = connect(config);
  expect((await core.readNamespace({ name: "box" })).metadata?.name).toBe("box");
  expect(asked).toBe("Bearer a-token");
});

test("connect() waits for no answer longer than it is told", async () => {
  const config = await serverOf(() => {});
  const { batch } = connect(config, 50);
  await expect(batch.listNamespacedJob({ namespace: "box" })).rejects.toMatchObject({ name: "TimeoutError" });
});

test("connect() of no cluster says what is wanted", () => {
  expect(() => connect(new KubeConfig())).toThrow("a kubeconfig with a current context is wanted");
});
