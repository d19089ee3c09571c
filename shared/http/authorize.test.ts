import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BackupRequest, RestoreRequest } from "../run/description.ts";
import { tempFolder } from "../testing.ts";
import { needsToken, requireToken, tokenSecret } from "./authorize.ts";

const secret = "correct-horse-battery-staple";

async function secretsWith(text?: string): Promise<string> {
  const folder = await tempFolder();
  if (text !== undefined) await writeFile(join(folder, tokenSecret), text);
  return folder;
}

const request = (authorization?: string) =>
  new Request("http://127.0.0.1/", { method: "POST", headers: authorization === undefined ? {} : { authorization } });

test("needsToken() lets only reading, checking and a backup without override pass without the token", () => {
  const free = [
    { operation: "backup" },
    { operation: "plan" },
    { operation: "scrub", all: true },
    { operation: "drill" },
  ];
  const dangerous = [
    { operation: "backup", allow: ["smaller"] }, { operation: "backup", allow: ["replaced"] }, { operation: "pin", at: "latest" },
    { operation: "unpin", at: "latest" }, { operation: "accept" }, { operation: "restore" }, { operation: "restore", to: "./x" },
    { operation: "undo" }, { operation: "flush" }, { operation: "pause", forSeconds: 60 }, { operation: "resume" },
  ]; // biome-ignore format: a table
  const parse = (body: { operation: string }) => BackupRequest.safeParse(body).data ?? RestoreRequest.parse(body);
  for (const body of free) expect(needsToken(parse(body)), JSON.stringify(body)).toBe(false);
  for (const body of dangerous) expect(needsToken(parse(body)), JSON.stringify(body)).toBe(true);
});

test("requireToken() lets the right token pass, whatever line end the secret's file has", async () => {
  for (const text of [secret, `${secret}\n`, ` ${secret}\r\n`])
    await requireToken(request(`Bearer ${secret}`), await secretsWith(text));
  await requireToken(request(`bearer ${secret}`), await secretsWith(secret));
});

test("requireToken() refuses no token, another one, a part of it and another scheme", async () => {
  const folder = await secretsWith(secret);
  for (const given of [
    undefined, "", "Bearer", "Bearer ", secret, `Basic ${secret}`, `Bearer ${secret}x`, `Bearer ${secret.slice(1)}`,
    `Bearer ${secret} ${secret}`, `Bearer ${secret.toUpperCase()}`, "Bearer undefined", "Bearer null",
  ]) await expect(requireToken(request(given), folder), given).rejects.toMatchObject({ code: "unauthorized" }); // biome-ignore format: a table
});

test("requireToken() refuses everybody while there is no secret, or an empty one", async () => {
  const unreadable = await tempFolder();
  await mkdir(join(unreadable, tokenSecret));
  for (const folder of [
    await secretsWith(),
    await secretsWith(""),
    await secretsWith(" \n"),
    unreadable,
    "/not/there",
  ]) {
    for (const given of [undefined, "Bearer ", "Bearer x"]) {
      await expect(requireToken(request(given), folder)).rejects.toMatchObject({ code: "unauthorized", hint: /0600/ });
    }
  }
});

test("requireToken() reads the secret anew, so that it can be changed while the function runs", async () => {
  const folder = await secretsWith("first");
  await requireToken(request("Bearer first"), folder);
  await writeFile(join(folder, tokenSecret), "second");
  await expect(requireToken(request("Bearer first"), folder)).rejects.toMatchObject({ code: "unauthorized" });
  await requireToken(request("Bearer second"), folder);
});

test("requireToken() tells neither the secret nor what was sent in its place", async () => {
  const folder = await secretsWith(secret);
  const error = await requireToken(request("Bearer my-other-password"), folder).catch((caught) => caught);
  const told = `${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error)}`;
  expect(told).not.toContain(secret);
  expect(told).not.toContain("my-other-password");
});
