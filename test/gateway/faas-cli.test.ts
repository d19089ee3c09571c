import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { loadStackFile } from "../../shared/stack/stack-file.ts";
import { auth, deferred, echo, startGateway } from "./start-gateway.ts";

const run = promisify(execFile);
const tool = process.env.FAAS_CLI || "faas-cli";
const stackFile = `${import.meta.dirname}/../../stack.yml`;

const missing = await run(tool, ["version", "--short-version", "--warn-update=false"]).then(
  () => false,
  (error) => {
    if (process.env.FAAS_CLI || error.code !== "ENOENT") throw error;
    return true;
  },
);
if (missing) console.info("skipped: there is no faas-cli on the PATH, and FAAS_CLI names none");
const withTool = test.skipIf(missing);

/** The real faas-cli with a home folder of its own, logged in to a gateway that serves stack.yml. */
async function loggedIn() {
  const home = await mkdtemp(join(tmpdir(), "faas-cli-"));
  onTestFinished(() => rm(home, { recursive: true }));
  const stack = await loadStackFile(stackFile, {});
  const functions = Object.fromEntries(stack.map(({ service }) => [service, echo]));
  const started = await startGateway(functions, {
    stack,
    version: "0.1.0",
    secretNames: async () => ["keepsake-token"],
  });
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: home,
    OPENFAAS_CONFIG: join(home, ".openfaas"),
    OPENFAAS_URL: started.url,
  };
  /** Fails with the tool's exit status; standard output and error together are its words. */
  const faas = async (args: string[], input = "") => {
    const running = run(tool, args, { env, cwd: home });
    running.child.stdin?.end(input);
    const { stdout, stderr } = await running;
    return stdout + stderr;
  };
  await faas(["login", "--username", auth.user, "--password-stdin"], auth.password);
  return { ...started, faas, env, home };
}

withTool("faas-cli lists, describes, waits for functions and tells versions", async () => {
  const { faas } = await loggedIn();
  expect(await faas(["list", "-v"])).toMatch(/backup-factorio\s+ghcr\.io\/\S+\s+0\s+1/);
  const described = await faas(["describe", "backup-factorio"]);
  expect(described).toMatch(/Status:\s+Ready/);
  expect(described).toContain("CRON_TZ=UTC 0 */6 * * *");
  await expect(faas(["describe", "nobody"])).rejects.toMatchObject({
    stdout: expect.stringMatching(/no such function/i),
  });
  expect(await faas(["ready"])).toContain("gateway is ready");
  expect(await faas(["ready", "restore-postgresql"])).toContain("restore-postgresql is ready");
  expect(await faas(["version", "--warn-update=false"])).toMatch(/keepsake-local[\s\S]*0\.1\.0/);
  expect(await faas(["version", "--warn-update=false", "--json"])).toContain("keepsake-local");
  expect(await faas(["namespace", "list"])).toContain("openfaas-fn");
  expect(await faas(["secret", "list"])).toContain("keepsake-token");
});

withTool("faas-cli invokes a function, waiting and not", async () => {
  const { faas } = await loggedIn();
  const answer = JSON.parse(await faas(["invoke", "backup-factorio", "-H", "Prefer: wait=1", "--query", "a=b"], "hi"));
  expect(answer).toMatchObject({
    method: "POST",
    target: "/?a=b",
    body: "hi",
    headers: { "content-type": "text/plain", prefer: "wait=1" },
  });
  expect(answer.headers).not.toHaveProperty("authorization");
  expect(await faas(["invoke", "--async", "backup-factorio"], "hi")).toContain("submitted asynchronously");
  await expect(faas(["invoke", "nobody"], "hi")).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringContaining("unexpected status code: 404"),
  });
});

withTool("faas-cli deploys stack.yml as it is, after a removal too, and updates a schedule", async () => {
  const { faas, gateway, env } = await loggedIn();
  expect(await faas(["deploy", "-f", stackFile])).toMatch(/Deployed\. 202 Accepted/);
  expect(await faas(["remove", "backup-factorio"])).toMatch(/removed|removing|deleting/i);
  expect(gateway.deployments.get("backup-factorio")).toBeUndefined();
  env.KEEPSAKE_TZ = "Asia/Tokyo";
  expect(await faas(["deploy", "-f", stackFile])).not.toContain("Unexpected status");
  expect(gateway.deployments.get("backup-factorio")?.annotations?.schedule).toBe("CRON_TZ=Asia/Tokyo 0 */6 * * *");
  expect(await faas(["deploy", "-f", stackFile, "--replace", "--update=false"])).toMatch(/Deployed\. 202/);
  await expect(faas(["deploy", "--name", "figlet", "--image", "ghcr.io/x/figlet"])).rejects.toMatchObject({
    stdout: expect.stringContaining("runs no images"),
  });
});

withTool("faas-cli follows a function's log", async () => {
  const { faas, get, env, home } = await loggedIn();
  await (await get("/function/backup-factorio/one")).text();
  expect(await faas(["logs", "backup-factorio", "--tail=false"])).toContain("GET /one - 200");

  const following = spawn(tool, ["logs", "backup-factorio"], { env, cwd: home });
  onTestFinished(() => void following.kill());
  const [first, second] = [deferred<void>(), deferred<void>()];
  let seen = "";
  following.stdout.on("data", (chunk) => {
    seen += chunk;
    if (seen.includes("/one")) first.resolve();
    if (seen.includes("/two")) second.resolve();
  });
  await first.promise;
  await (await get("/function/backup-factorio/two")).text();
  await second.promise;
  following.kill();
  await once(following, "exit");
});

withTool("faas-cli is refused without the credentials", async () => {
  const { faas } = await loggedIn();
  await expect(faas(["login", "--password", "wrong"])).rejects.toMatchObject({ code: 1 });
});
