import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { chooseGateway, findGateway, readToken } from "./gateway.ts";

const own = { url: "http://127.0.0.1:8080/", pid: 1, tokenFile: "/clone/token" };
const configured = { gateway: "https://gateway.lab", tokenFile: "/home/token" };
const folders: string[] = [];

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "keepsake-cli-"));
  folders.push(path);
  return path;
}
afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true });
});

test("chooseGateway() takes GATEWAY before this clone's own before the configured one", () => {
  expect(chooseGateway({ gateway: "http://nas:31112/" }, own, configured).url).toBe("http://nas:31112");
  expect(chooseGateway({}, own, configured)).toMatchObject({
    url: "http://127.0.0.1:8080",
    from: "this clone's own",
    own: true,
  });
  expect(chooseGateway({}, undefined, configured)).toMatchObject({ url: "https://gateway.lab", own: false });
});

test("chooseGateway() never hands one gateway's token to another", () => {
  expect(chooseGateway({ gateway: "http://other" }, own, configured).tokenFile).toBeUndefined();
  expect(chooseGateway({ gateway: "http://other", tokenFile: "/t" }, own, configured).tokenFile).toBe("/t");
  expect(chooseGateway({}, own, configured).tokenFile).toBe("/clone/token");
});

test("chooseGateway() without any names the remedy", () => {
  expect(() => chooseGateway({}, undefined)).toThrow(
    expect.objectContaining({ exit: 3, hint: expect.stringContaining("make up") }),
  );
});

test.each(["localhost:8080", "nas", "ftp://nas"])("chooseGateway() refuses %s", (gateway) => {
  expect(() => chooseGateway({ gateway }, undefined)).toThrow(expect.objectContaining({ exit: 2 }));
});

test("chooseGateway() refuses credentials in the URL without repeating them", () => {
  expect(() => chooseGateway({ gateway: "http://admin:hunter2@nas" }, undefined)).toThrow(/^(?!.*hunter2).*nas/);
});

test("findGateway() passes over the file of a gateway that was killed", async () => {
  const [clone, home] = [await folder(), await folder()];
  await mkdir(join(clone, "homelab/state"), { recursive: true });
  await mkdir(join(home, ".config/keepsake"), { recursive: true });
  const file = join(clone, "homelab/state/gateway.json");
  await writeFile(
    join(home, ".config/keepsake/config.json"),
    '{"gateway": "http://cluster:31112", "tokenFile": "token"}',
  );

  await writeFile(
    file,
    JSON.stringify({ url: "http://127.0.0.1:1234", pid: process.pid, startedAt: "", tokenFile: "/t" }),
  );
  expect((await findGateway({}, clone, home)).url).toBe("http://127.0.0.1:1234");

  await writeFile(file, JSON.stringify({ url: "http://127.0.0.1:1234", pid: 2 ** 22 + 1, startedAt: "" }));
  expect(await findGateway({}, clone, home)).toMatchObject({
    url: "http://cluster:31112",
    tokenFile: join(home, ".config/keepsake/token"),
  });
});

test("findGateway() finds the gateway of make up over another configuration", async () => {
  const [clone, state] = [await folder(), await folder()];
  await mkdir(join(clone, "build"));
  await symlink(join(state, "gateway.json"), join(clone, "build/gateway.json"));
  await expect(findGateway({}, clone, clone)).rejects.toMatchObject({ exit: 3 });
  await writeFile(join(state, "gateway.json"), JSON.stringify({ url: "http://127.0.0.1:1234", pid: process.pid }));
  expect(await findGateway({}, clone, clone)).toMatchObject({ url: "http://127.0.0.1:1234", own: true });
});

test("readToken() refuses what is no token without showing it", async () => {
  const path = join(await folder(), "token");
  await writeFile(path, "secret\n");
  expect(await readToken(path)).toBe("secret");
  await writeFile(path, "two\nlines");
  await expect(readToken(path)).rejects.toThrow(/^(?!.*two).*one line/);
  await expect(readToken("/nowhere")).rejects.toThrow('Cannot read the token file "/nowhere"');
});
