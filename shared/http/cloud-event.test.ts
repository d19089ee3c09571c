import { expect, test } from "vitest";
import { takingEvents } from "./cloud-event.ts";
import { callerOf, readRequest, runIdOf } from "./request.ts";

const post = (headers: Record<string, string>, body: string | null = null) =>
  new Request("http://127.0.0.1/", { method: "POST", headers, body });

const attributes = {
  specversion: "1.0",
  id: "7-é",
  source: "/apis/v1/pingsources/x",
  type: "dev.knative.sources.ping",
};
type Attributes = Partial<typeof attributes>;

/** In binary mode: attributes are headers, where everything but plain ASCII is percent-encoded. */
const binary = (changes: Attributes = {}, data?: string) =>
  post(
    Object.fromEntries(
      Object.entries({ ...attributes, ...changes }).map(([name, value]) => [`ce-${name}`, encodeURI(value)]),
    ),
    data,
  );
const structured = (changes: object = {}, contentType = "application/cloudevents+json; charset=utf-8") =>
  post({ "content-type": contentType }, JSON.stringify({ ...attributes, ...changes }));

/** What a function is called with, and what its caller gets. */
async function call(request: Request, answer = () => Response.json({ run: 1 }, { headers: { "x-run-id": "r1" } })) {
  const calls: Request[] = [];
  const response = await takingEvents(async (given) => {
    calls.push(given);
    return answer();
  })(request);
  return { given: calls[0] as Request, response };
}

test("takingEvents() calls with a timer's data, in binary and in structured mode", async () => {
  const data = '{"operation":"scrub"}';
  for (const event of [
    binary({}, data),
    structured({ data: JSON.parse(data) }),
    structured({ data_base64: Buffer.from(data).toString("base64") }),
  ]) {
    const { given } = await call(event);
    expect(callerOf(given)).toBe("cron");
    expect(await readRequest(given, "backup")).toMatchObject({ operation: "scrub" });
  }
  for (const event of [binary(), structured()])
    expect(await readRequest((await call(event)).given, "backup")).toMatchObject({ operation: "backup" });
});

test("takingEvents() lets any other event wake a function, whatever it tells", async () => {
  const type = "keepsake.mapshot.rendered.v1";
  const data = { operation: "restore", app: "mapshot" };
  for (const event of [binary({ type }, JSON.stringify(data)), structured({ type, data })]) {
    const { given } = await call(event);
    expect(callerOf(given)).toBe(`event ${type}`);
    expect(await readRequest(given.clone(), "cleanup")).toEqual({ operation: "cleanup" });
    expect(await readRequest(given, "backup")).toEqual({ operation: "backup", allow: [] });
  }
});

test("takingEvents() gives a second delivery the first one's run, however it comes", async () => {
  const idOf = async (event: Request) => runIdOf("backup-box", (await call(event)).given);
  const id = await idOf(binary());
  expect(await idOf(binary())).toBe(id);
  expect(await idOf(structured())).toBe(id);
  expect(await idOf(binary({ id: "8" }))).not.toBe(id);
  expect(await idOf(binary({ source: "/other" }))).not.toBe(id);
});

test("takingEvents() answers without a body when all is well, and else as the function does", async () => {
  const { response } = await call(binary());
  expect([response.status, await response.text(), response.headers.get("x-run-id")]).toEqual([202, "", "r1"]);
  const busy = await call(binary(), () => Response.json({ code: "app_busy" }, { status: 409 }));
  expect([busy.response.status, await busy.response.json()]).toEqual([409, { code: "app_busy" }]);
});

test("takingEvents() refuses what is not one event of CloudEvents 1.0, naming what it lacks", async () => {
  for (const [event, why] of [
    [structured({ id: undefined }), "(id)"],
    [structured({ type: "" }), "(type)"],
    [structured({ specversion: "0.3" }), "(specversion)"],
    [binary({ source: "" }), "(source)"],
    [post({ "content-type": "application/cloudevents+json" }, "{"), "CloudEvents 1.0"],
    [post({ "content-type": "application/cloudevents-batch+json" }, "[]"), "one event"],
  ] as const) {
    const { given, response } = await call(event);
    expect([given, response.status, await response.text()]).toEqual([undefined, 400, expect.stringContaining(why)]);
  }
});

test("takingEvents() leaves alone what is no event, and whoever has the token", async () => {
  const event = JSON.stringify({ ...attributes, data: {} });
  for (const request of [
    post({}, "{}"),
    new Request("http://127.0.0.1/", { headers: { "ce-specversion": "1.0" } }),
    post({ "content-type": "application/cloudevents+json", authorization: "Bearer x" }, event),
  ]) {
    const { given, response } = await call(request);
    expect(given).toBe(request);
    expect(response.status).toBe(200);
  }
});
