import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { deferred, echo, startGateway } from "./start-gateway.ts";

/** A server that takes one callback. */
async function callbackServer() {
  const called = deferred<{ headers: IncomingHttpHeaders; body: string }>();
  const server = createServer(async (request, response) => {
    called.resolve({ headers: request.headers, body: await text(request) });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/done`, called: called.promise };
}

describe("/async-function/<name>", () => {
  test("answers 202 at once and posts the result to the callback", async () => {
    const { get } = await startGateway({ echo });
    const callback = await callbackServer();
    const answer = await get("/async-function/echo.openfaas-fn/sub?x=1", {
      method: "POST",
      body: "payload",
      headers: { "X-Callback-Url": callback.url, "X-Topic": "mapshot.rendered", "X-Connector": "connector-sdk" },
    });
    expect([answer.status, await answer.text()]).toEqual([202, ""]);
    const callId = answer.headers.get("x-call-id");
    const startTime = answer.headers.get("x-start-time");
    expect([callId, startTime]).toEqual([expect.any(String), expect.stringMatching(/^\d{19}$/)]);

    const { headers, body } = await callback.called;
    expect(headers).toMatchObject({
      "x-call-id": callId,
      "x-start-time": startTime,
      "x-function-name": "echo.openfaas-fn",
      "x-function-status": "200",
      "x-duration-seconds": expect.stringMatching(/^\d+\.\d{6}$/),
      "content-type": "application/json",
    });
    expect(JSON.parse(body)).toMatchObject({
      method: "POST",
      target: "/sub?x=1",
      body: "payload",
      headers: { "x-call-id": callId, "x-topic": "mapshot.rendered", "x-connector": "connector-sdk" },
    });
  });

  test("keeps the caller's call id", async () => {
    const { get } = await startGateway({ echo });
    const callback = await callbackServer();
    await get("/async-function/echo", {
      method: "POST",
      headers: { "X-Call-Id": "7", "X-Callback-Url": callback.url },
    });
    expect((await callback.called).headers["x-call-id"]).toBe("7");
  });

  test("tells the callback that a function failed or is not there", async () => {
    const { get } = await startGateway({ f: () => new Response("bad", { status: 422 }) });
    for (const [name, status] of [
      ["f", "422"],
      ["nobody", "404"],
    ]) {
      const callback = await callbackServer();
      await get(`/async-function/${name}`, { method: "POST", headers: { "X-Callback-Url": callback.url } });
      expect((await callback.called).headers["x-function-status"]).toBe(status);
    }
  });

  test("goes on after a callback that nobody takes", async () => {
    const { get } = await startGateway({ echo });
    const nobody = { "X-Callback-Url": "http://127.0.0.1:1/" };
    const callback = await callbackServer();
    await get("/async-function/echo", { method: "POST", headers: nobody });
    await get("/async-function/echo", { method: "POST", headers: { "X-Callback-Url": callback.url } });
    expect((await callback.called).headers["x-function-status"]).toBe("200");
  });

  test("runs one call after the other, lets ten wait, and refuses the next", async () => {
    const bodies: string[] = [];
    const [entered, go, all] = [deferred<void>(), deferred<void>(), deferred<void>()];
    const f = async (request: Request) => {
      bodies.push(await request.text());
      entered.resolve();
      await go.promise;
      if (bodies.length === 11) all.resolve();
      return new Response();
    };
    const { get } = await startGateway({ f });
    const post = (body: number) => get("/async-function/f", { method: "POST", body: String(body) });
    expect((await post(0)).status).toBe(202);
    await entered.promise;
    for (let index = 1; index <= 10; index++) expect((await post(index)).status).toBe(202);
    const refused = await post(11);
    expect([refused.status, await refused.text()]).toEqual([500, "Error queuing request: the queue is full\n"]);
    expect(bodies).toEqual(["0"]);
    go.resolve();
    await all.promise;
    expect(bodies).toEqual(Array.from({ length: 11 }, (_, index) => String(index)));
  });

  test("takes bodies of 256 KB and no more", async () => {
    const { get } = await startGateway({ echo });
    const post = (sizeBytes: number) =>
      get("/async-function/echo", { method: "POST", body: new Uint8Array(sizeBytes) });
    expect((await post(256 * 1024)).status).toBe(202);
    expect((await post(256 * 1024 + 1)).status).toBe(413);
  });

  test("refuses other methods and callbacks that are no web address", async () => {
    const { get } = await startGateway({ echo });
    expect((await get("/async-function/echo")).status).toBe(405);
    for (const url of ["nonsense", "file:///etc/passwd"]) {
      const answer = await get("/async-function/echo", { method: "POST", headers: { "X-Callback-Url": url } });
      expect(answer.status).toBe(400);
    }
  });
});
