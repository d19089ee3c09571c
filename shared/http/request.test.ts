import fc from "fast-check";
import { expect, test } from "vitest";
import { RunDescription } from "../run/description.ts";
import { callerOf, readRequest, runIdOf, waitOf } from "./request.ts";

const post = (body?: BodyInit | null, headers: Record<string, string> = {}) =>
  new Request("http://127.0.0.1/", { method: "POST", body: body ?? null, headers });
const bytes = (text: string) => new TextEncoder().encode(text);
const read = (body: unknown, kind: "backup" | "restore" = "backup") =>
  readRequest(post(typeof body === "string" ? body : JSON.stringify(body)), kind);

test("readRequest() takes what connectors send: no content type, and no body or an empty one, as what the function is for", async () => {
  for (const body of [undefined, null, "", "  \n", "{}"]) {
    expect(await readRequest(post(body), "backup")).toEqual({ operation: "backup", allow: [] });
    expect(await readRequest(post(body), "restore")).toEqual({ operation: "restore", allow: [] });
  }
  const plain = post(bytes('{"app":"box"}'));
  expect(plain.headers.get("content-type")).toBeNull();
  expect(await readRequest(plain, "backup")).toEqual({ operation: "backup", app: "box", allow: [] });
});

test("readRequest() takes an event for a call without a body where it wakes a cleanup, and nowhere else", async () => {
  const event = JSON.stringify({ specversion: "1.0", id: "x.rendered", data: { app: "box", at: "latest" } });
  expect(await readRequest(post(bytes(event)), "cleanup")).toEqual({ operation: "cleanup" });
  for (const kind of ["backup", "restore"] as const)
    await expect(readRequest(post(bytes(event)), kind)).rejects.toMatchObject({ code: "invalid_request" });
  const large = JSON.stringify({ specversion: "1.0", data: { removed: "x".repeat(200_000) } });
  expect(await readRequest(post(bytes(large)), "cleanup")).toEqual({ operation: "cleanup" });
});

test("readRequest() reads JSON whatever it calls itself", async () => {
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json",
    "application/octet-stream",
  ]) {
    const request = post(bytes('{"operation":"pin","at":"latest"}'), { "content-type": type });
    expect(await readRequest(request, "backup")).toEqual({ operation: "pin", at: "latest" });
  }
});

test("readRequest() names every unknown field and bad value (a misspelt setting was passed over elsewhere)", async () => {
  for (const [body, ...named] of [
    [{ apps: ["box"], forse: true }, "apps", "forse"],
    [{ app: "../etc", allow: ["everything"] }, "app", "allow.0"],
    [{ app: "Box" }, "app", "lower-case"],
    [{ operation: "pin" }, "at"],
    [{ operation: "pin", at: "" }, "at"],
    [{ operation: "pin", at: 5 }, "at"],
    [{ operation: "erase" }, "operation"],
    [{ operation: "restore" }, "operation"],
    [{ allow: "smaller" }, "allow"],
    [{ to: "/tmp/x" }, "to"],
  ] as const) {
    const refused = read(body);
    await expect(refused, JSON.stringify(body)).rejects.toMatchObject({ code: "invalid_request" });
    for (const name of named) await expect(refused).rejects.toThrow(name);
  } // biome-ignore format: a table
});

test("readRequest() keeps a function to its own operations", async () => {
  for (const operation of ["restore", "undo", "plan"]) await expect(read({ operation })).rejects.toThrow("operation");
  for (const operation of ["backup", "accept", "flush"])
    await expect(read({ operation }, "restore")).rejects.toThrow("operation");
  expect(await read({ operation: "restore", at: "Thu 18:00", to: "./look", allow: ["superuser-owner"] }, "restore")).toEqual({
    operation: "restore", at: "Thu 18:00", to: "./look", allow: ["superuser-owner"],
  }); // biome-ignore format: one line reads better
});

test("readRequest() refuses what is no JSON object", async () => {
  for (const body of ["{", "null", "[]", '"backup"', "7", "app=box", "\0"]) {
    await expect(read(body), body).rejects.toMatchObject({ code: "invalid_request" });
  }
});

test("readRequest() never fails in another way than by saying what is wrong", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.string().map((key) => JSON.stringify({ [key]: 1 })),
      ),
      async (text) => {
        const failed = await read(text).then(
          () => undefined,
          (error) => error.code,
        );
        expect([undefined, "invalid_request"]).toContain(failed);
      },
    ),
    { numRuns: 200 },
  );
});

test("readRequest() stops reading what is too large, however much is still to come", async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1;
      controller.enqueue(new Uint8Array(16 << 10).fill(32));
    },
  });
  const request = new Request("http://127.0.0.1/", { method: "POST", body: endless, duplex: "half" } as RequestInit);
  await expect(readRequest(request, "backup")).rejects.toMatchObject({
    code: "invalid_request",
    message: /262144 bytes/,
  });
  expect(sent).toBeLessThan(20);
});

test("runIdOf() gives one call one id, in each function another one, and a new id to a call without one", () => {
  const id = (name: string, headers: Record<string, string>) => runIdOf(name, post(null, headers));
  const call = { "x-call-id": "7f1c" };
  expect(id("backup-box", call)).toBe(id("backup-box", call));
  expect(id("backup-box", call)).not.toBe(id("restore-box", call));
  expect(id("backup-box", call)).not.toBe(id("backup-box", { "x-call-id": "7f1d" }));
  expect(id("backup-box", { "idempotency-key": "mine", ...call })).toBe(
    id("backup-box", { "idempotency-key": "mine" }),
  );
  expect(id("backup-box", { "x-call-id": "" })).not.toBe(id("backup-box", { "x-call-id": "" }));
});

test("runIdOf() gives ids that are file names, whatever a caller sends as its own", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary-ascii" }).filter((key) => !/[\0\r\n]/.test(key)),
      (key) => {
        const id = runIdOf("backup-box", post(null, { "x-call-id": key }));
        expect(RunDescription.shape.id.safeParse(id).success && id.startsWith("backup-box-")).toBe(true);
      },
    ),
  );
});

test("callerOf() says who asked, and lets nobody write markup or lines of their own", () => {
  const caller = (headers: Record<string, string>) => callerOf(post(null, headers));
  expect(caller({})).toBe("an HTTP call");
  expect(caller({ "x-connector": "cron-connector" })).toBe("cron");
  expect(caller({ "x-connector": "nats-connector", "x-topic": "mapshot.rendered" })).toBe("event mapshot.rendered");
  expect(caller({ "x-keepsake-client": "make on kitchen-mac" })).toBe("make on kitchen-mac");
  expect(caller({ "x-keepsake-client": "<b>\tme</b>`$(x)" })).toBe("bmebx");
  expect(caller({ "x-keepsake-client": "x".repeat(500) })).toHaveLength(80);
  expect(caller({ "x-keepsake-client": "<>" })).toBe("an HTTP call");
});

test("waitOf() reads Prefer, and never waits longer than gateway and faas-cli do", () => {
  for (const [prefer, ms] of [
    [undefined, 50_000], ["", 50_000], ["wait=10", 10_000], ["wait=0", 0], ["wait=600", 50_000], ["respond-async", 0],
    ["respond-async, wait=5", 5000], ["wait=5; respond-async", 5000], ["Wait=7", 7000], ["RESPOND-ASYNC", 0],
    ["return=minimal", 50_000], ["return=minimal, wait=3", 3000], ["await=3", 50_000], ["wait=soon", 50_000],
    ['wait="4"', 4000], ["wait = 4", 4000],
  ] as const) expect(waitOf(post(null, prefer === undefined ? {} : { prefer })), prefer).toBe(ms); // biome-ignore format: a table
});
