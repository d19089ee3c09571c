import { describe, expect, test } from "vitest";
import { echo, startGateway } from "./start-gateway.ts";

const image = "ghcr.io/test/image:1";

describe("/system", () => {
  test.each([
    "/system/functions", "/system/function/echo", "/system/namespaces", "/system/info", "/system/logs?name=echo",
    "/system/secrets",
  ])("%s needs the credentials", async (path) => {
    const { get } = await startGateway({ echo });
    for (const credentials of [undefined, "admin:wrong", "other:s3cret"]) {
      const headers = credentials && { Authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
      const answer = await get(path, { ...(headers && { headers }) });
      expect([answer.status, await answer.text()]).toEqual([401, "invalid credentials"]);
      expect(answer.headers.get("www-authenticate")).toBe('Basic realm="Restricted"');
    }
  }); // biome-ignore format: one line reads better

  test("lists and describes functions as faas-cli wants them", async () => {
    const stack = [
      { service: "echo", image, labels: { a: "b" }, annotations: { topic: "cron-function" }, envVars: { K: "v" } },
    ];
    const { get, system } = await startGateway({ echo }, { stack, now: () => Date.UTC(2026, 0, 2) });
    await get("/function/echo");
    const echoStatus = {
      name: "echo",
      image,
      namespace: "openfaas-fn",
      replicas: 1,
      availableReplicas: 1,
      invocationCount: 1,
      createdAt: "2026-01-02T00:00:00.000Z",
      labels: { a: "b" },
      annotations: { topic: "cron-function" },
      envVars: { K: "v" },
    };
    expect(await (await system("/functions")).json()).toEqual([echoStatus]);
    expect(await (await system("/functions?namespace=openfaas-fn")).json()).toEqual([echoStatus]);
    expect(await (await system("/functions?namespace=other")).json()).toEqual([]);
    expect(await (await system("/function/echo?usage=1")).json()).toEqual(echoStatus);
    expect(await (await system("/function/echo?namespace=&usage=1")).json()).toEqual(echoStatus);
    expect((await system("/function/echo?namespace=other&usage=1")).status).toBe(404);
    expect((await system("/function/nobody?usage=1")).status).toBe(404);
  });

  test("names the one namespace, the version of provider and gateway, and the secrets without their values", async () => {
    const { system } = await startGateway({}, { version: "1.2.3", secretNames: async () => ["keepsake-token"] });
    expect(await (await system("/namespaces")).json()).toEqual(["openfaas-fn"]);
    expect(await (await system("/info")).json()).toMatchObject({
      provider: { provider: "keepsake-local", orchestration: "local", version: { release: "1.2.3", sha: "" } },
      version: { release: "1.2.3", sha: "" },
      arch: process.arch,
    });
    expect(await (await system("/secrets")).json()).toEqual([{ name: "keepsake-token", namespace: "openfaas-fn" }]);
    expect((await system("/secrets", "POST", { name: "x", value: "y" })).status).toBe(501);
  });
});

describe("deploying", () => {
  test("updates a function that is there", async () => {
    const { system } = await startGateway({ echo });
    const deployment = {
      service: "echo",
      image: "other:2",
      labels: null,
      annotations: { schedule: "@daily" },
      constraints: null,
    };
    expect((await system("/functions", "PUT", deployment)).status).toBe(202);
    expect(await (await system("/function/echo")).json()).toMatchObject({
      image: "other:2",
      labels: {},
      annotations: { schedule: "@daily" },
    });
  });

  test("PUT of one that is not there is 404, so that faas-cli posts it", async () => {
    const { get, system } = await startGateway({ echo }, { stack: [] });
    expect((await get("/function/echo")).status).toBe(404);
    expect((await system("/functions", "PUT", { service: "echo", image })).status).toBe(404);
    expect((await system("/functions", "POST", { service: "echo", image })).status).toBe(202);
    expect((await system("/functions", "POST", { service: "echo", image })).status).toBe(409);
    expect((await get("/function/echo")).status).toBe(200);
  });

  test("removes a function", async () => {
    const { get, system } = await startGateway({ echo });
    const removal = { functionName: "echo", namespace: "openfaas-fn" };
    expect((await system("/functions", "DELETE", removal)).status).toBe(202);
    expect((await get("/function/echo")).status).toBe(404);
    expect((await system("/functions", "DELETE", removal)).status).toBe(404);
  });

  test.each([
    [{ service: "figlet", image: "ghcr.io/x/figlet" }, "runs no images, only this clone's own functions: echo"],
    [{ service: "echo", image, namespace: "other" }, "openfaas-fn is the only namespace"],
    [{ service: "echo" }, "image"],
    ["nonsense", "Cannot deploy"],
  ])("refuses %j", async (deployment, message) => {
    const { system } = await startGateway({ echo }, { stack: [] });
    const answer = await system("/functions", "POST", deployment);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(message)]);
  });
});

describe("/system/logs", () => {
  const lines = async (answer: Response) =>
    (await answer.text())
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  test("sends a function's lines as NDJSON", async () => {
    const { get, system } = await startGateway({ echo }, { now: () => Date.UTC(2026, 0, 2) });
    await (await get("/function/echo/a?b", { method: "PUT" })).text();
    const answer = await system("/logs?name=echo&follow=false&tail=-1");
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    expect(await lines(answer)).toEqual([
      {
        name: "echo",
        namespace: "openfaas-fn",
        instance: "echo",
        timestamp: "2026-01-02T00:00:00.000Z",
        text: "PUT /a?b - 200 - 0.0000s",
      },
    ]);
  });

  test("sends only the last ones, or those since a moment", async () => {
    let nowMs = 0;
    const { get, system } = await startGateway({ echo }, { now: () => nowMs });
    for (nowMs of [1_000, 2_000, 3_000]) await (await get(`/function/echo/${nowMs}`)).text();
    const texts = async (query: string) =>
      (await lines(await system(`/logs?name=echo${query}`))).map(({ text }) => text);
    expect(await texts("&tail=2")).toEqual([expect.stringContaining("/2000 "), expect.stringContaining("/3000 ")]);
    expect(await texts("&since=1970-01-01T00:00:03Z")).toEqual([expect.stringContaining("/3000 ")]);
    expect(await texts("&since=1970-01-01T01:00:02%2B01:00")).toHaveLength(2);
    expect(await texts("")).toHaveLength(3);
  });

  test("follows until the caller leaves or the gateway stops", async () => {
    const { get, gateway, system } = await startGateway({ echo });
    const reader = (await system("/logs?name=echo&follow=true&tail=-1")).body!.getReader();
    for (const path of ["/one", "/two"]) {
      await (await get(`/function/echo${path}`)).text();
      expect(Buffer.from((await reader.read()).value!).toString()).toContain(`GET ${path} - 200`);
    }
    const stopped = gateway.stop(60_000);
    expect((await reader.read()).done).toBe(true);
    await stopped;
  });

  test("refuses what it cannot read, and functions that are not there", async () => {
    const { system } = await startGateway({ echo });
    expect((await system("/logs?name=echo&since=yesterday")).status).toBe(422);
    expect((await system("/logs")).status).toBe(422);
    expect((await system("/logs?name=nobody")).status).toBe(404);
  });
});
