import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { deferred, echo, startGateway } from "./start-gateway.ts";

describe("/function/<name>", () => {
  test.each([
    ["/function/echo", "/"],
    ["/function/echo/", "/"],
    ["/function/echo.openfaas-fn", "/"],
    ["/function/echo.openfaas-fn/runs/a%2Fb?wait=5&wait=6", "/runs/a%2Fb?wait=5&wait=6"],
    ["/function/echo?x=%20", "/?x=%20"],
  ])("%s reaches the function as %s", async (path, target) => {
    const { get } = await startGateway({ echo });
    expect(await (await get(path)).json()).toMatchObject({ method: "GET", target });
  });

  test.each(["POST", "PUT", "PATCH", "DELETE"])("passes on %s with its body", async (method) => {
    const { get } = await startGateway({ echo });
    const answer = await get("/function/echo", { method, body: "hello" });
    expect(await answer.json()).toMatchObject({ method, body: "hello" });
  });

  test("adds a call id, the time and where the call came from", async () => {
    const { get, url } = await startGateway({ echo }, { now: () => 1_750_000_000_000 });
    const answer = await get("/function/echo", { method: "POST", headers: { TE: "trailers", Prefer: "wait=1" } });
    const { headers } = (await answer.json()) as { headers: Record<string, string> };
    expect(headers).toMatchObject({
      "x-call-id": expect.stringMatching(/^[\da-f]{8}-[\da-f-]{27}$/),
      "x-start-time": "1750000000000000000",
      "x-forwarded-host": new URL(url).host,
      "x-forwarded-for": expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      prefer: "wait=1",
    });
    expect(headers).not.toHaveProperty("connection");
    expect(headers).not.toHaveProperty("te");
    expect(answer.headers.get("x-call-id")).toBe(headers["x-call-id"]);
    expect(answer.headers.get("x-start-time")).toBe(headers["x-start-time"]);
  });

  test("keeps the caller's call id, which tells a second delivery", async () => {
    const { get } = await startGateway({ echo });
    const answer = await get("/function/echo", { headers: { "X-Call-Id": "mine", "X-Forwarded-For": "10.0.0.9" } });
    expect(await answer.json()).toMatchObject({ headers: { "x-call-id": "mine", "x-forwarded-for": "10.0.0.9" } });
    expect(answer.headers.get("x-call-id")).toBeNull();
  });

  test("needs no credentials, and passes on those for the function", async () => {
    const { get } = await startGateway({ echo });
    const answer = await get("/function/echo", { headers: { Authorization: "Bearer t" } });
    expect(await answer.json()).toMatchObject({ headers: { authorization: "Bearer t" } });
  });

  test("passes on status, headers and an empty body", async () => {
    const created = () => new Response(null, { status: 202, headers: { Location: "/function/f/runs/1" } });
    const { get } = await startGateway({ f: created });
    const answer = await get("/function/f");
    expect([answer.status, answer.headers.get("location"), await answer.text()]).toEqual([
      202,
      "/function/f/runs/1",
      "",
    ]);
  });

  test.each(["/function/nobody", "/function/echo.kube-system", "/function/nobody/x"])("%s is 404", async (path) => {
    const { get } = await startGateway({ echo });
    const answer = await get(path);
    expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining("error finding function")]);
  });

  test("a function that throws is 500, and its reason stays in the log", async () => {
    const { get, system } = await startGateway({
      f: () => {
        throw new Error("secret detail");
      },
    });
    const answer = await get("/function/f");
    expect([answer.status, await answer.text()]).toEqual([500, "error calling function f: it failed\n"]);
    expect(await (await system("/logs?name=f")).text()).toContain("500 secret detail");
  });

  test("a function that does not answer in time is 502, and sees that nobody waits", async () => {
    const gone = deferred<void>();
    const f = (request: Request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      return new Promise<Response>(() => {});
    };
    const { get } = await startGateway({ f }, { timeoutMs: 30 });
    const answer = await get("/function/f");
    expect([answer.status, await answer.text()]).toEqual([502, expect.stringContaining("no answer within 0.03 s")]);
    await gone.promise;
  });

  test("sends each event of a stream as it comes, and cuts the stream at the timeout", async () => {
    const second = deferred<void>();
    const f = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          async start(controller) {
            controller.enqueue(Buffer.from("data: 1\n\n"));
            await second.promise;
            controller.enqueue(Buffer.from("data: 2\n\n"));
          },
        }),
        { headers: { "Content-Type": "text/event-stream" } },
      );
    const { get, system } = await startGateway({ f }, { timeoutMs: 300 });
    const reader = (await get("/function/f", { headers: { Accept: "text/event-stream" } })).body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("data: 1\n\n");
    second.resolve();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("data: 2\n\n");
    await expect(reader.read()).rejects.toThrow();
    expect(await (await system("/logs?name=f")).text()).toContain("cut off: no answer within 0.3 s");
  });

  test("a caller who goes away ends the stream of the function", async () => {
    const cancelled = deferred<void>();
    const f = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(Buffer.from("x")),
          cancel: () => cancelled.resolve(),
        }),
      );
    const { get } = await startGateway({ f });
    const leave = new AbortController();
    const answer = await get("/function/f", { signal: leave.signal });
    await answer.body!.getReader().read();
    leave.abort();
    await cancelled.promise;
  });

  test("streams a body of any size", async () => {
    const f = async (request: Request) => {
      let sizeBytes = 0;
      for await (const chunk of request.body!) sizeBytes += chunk.length;
      return new Response(String(sizeBytes));
    };
    const { get } = await startGateway({ f });
    const body = new Blob(Array.from({ length: 300 }, () => new Uint8Array(65_536)));
    const answer = await get("/function/f", { method: "POST", body });
    expect(await answer.text()).toBe(String(300 * 65_536));
  });
});

describe("createGateway()", () => {
  test("listens on loopback only, unless told otherwise", async () => {
    const { url } = await startGateway({});
    expect(new URL(url).hostname).toBe("127.0.0.1");
  });

  test("says that it is well, without credentials", async () => {
    const { get } = await startGateway({});
    expect((await get("/healthz")).status).toBe(200);
  });

  test("says what to do when the port is taken", async () => {
    const { url } = await startGateway({});
    const port = Number(new URL(url).port);
    await expect(startGateway({}, { port })).rejects.toMatchObject({
      message: `Cannot listen on 127.0.0.1:${port}: the port is taken`,
      hint: expect.stringContaining("PORT="),
    });
  });

  test("stop() lets a call in progress end and takes no other", async () => {
    const [entered, answer] = [deferred<void>(), deferred<Response>()];
    const { gateway, get, url } = await startGateway({
      f: () => {
        entered.resolve();
        return answer.promise;
      },
    });
    const call = get("/function/f");
    await entered.promise;
    const stopped = gateway.stop(60_000);
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    expect(await once(socket, "error")).toMatchObject([{ code: "ECONNREFUSED" }]);
    answer.resolve(new Response("done"));
    expect(await (await call).text()).toBe("done");
    await stopped;
  });

  test("stop() cuts off what does not end within the grace", async () => {
    const entered = deferred<void>();
    const { gateway, get } = await startGateway({
      f: () => {
        entered.resolve();
        return new Promise<Response>(() => {});
      },
    });
    const call = get("/function/f").then((answer) => answer.status);
    call.catch(() => {});
    await entered.promise;
    await gateway.stop(10);
    await expect(call).rejects.toThrow();
  });
});
