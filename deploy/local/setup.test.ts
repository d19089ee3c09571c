import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

/* setup.sh as it runs on machines that lack this or that: the programs it would call leave a note instead. */

let clone: string;
let bin: string;
const tools = ["sh", "dirname", "cp", "cmp", "mkdir", "rm", "chmod"];

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), "keepsake setup-"));
  bin = join(clone, "bin");
  await mkdir(join(clone, "deploy/local"), { recursive: true });
  await mkdir(bin);
  await cp(join(import.meta.dirname, "setup.sh"), join(clone, "deploy/local/setup.sh"));
  await writeFile(join(clone, "package-lock.json"), "one");
  for (const tool of tools) await symlink(await which(tool), join(bin, tool));
  await program("node", 'echo "v20.1.0"');
  await program(
    "npm",
    'echo "npm $*" >>calls; mkdir -p node_modules/node/bin; : >node_modules/node/bin/node; chmod +x node_modules/node/bin/node',
  );
  await program("uname", "echo Linux");
  await program("id", "echo 1000");
});
afterEach(() => rm(clone, { recursive: true }));

const which = (tool: string) =>
  new Promise<string>((resolve, reject) =>
    execFile("sh", ["-c", 'command -v "$1"', "sh", tool], (error, out) =>
      error ? reject(error) : resolve(out.trim()),
    ),
  );

async function program(name: string, body: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(bin, name), 0o755);
}

async function have(...names: string[]): Promise<void> {
  for (const name of names) await program(name, ":");
}

const postgres = ["postgres", "initdb", "pg_dump", "psql"];
const all = [...postgres, "nats-server"];

function setUp(...args: string[]): Promise<{ code: number; text: string; calls: string[] }> {
  return new Promise((resolve) => {
    const env = { PATH: bin, SETUP_PREFIX: clone };
    execFile(
      join(bin, "sh"),
      [join(clone, "deploy/local/setup.sh"), ...args],
      { env },
      async (error, stdout, stderr) => {
        const calls = await readFile(join(clone, "calls"), "utf8").catch(() => "");
        resolve({ code: Number(error?.code ?? 0), text: stdout + stderr, calls: calls.split("\n").filter(Boolean) });
      },
    );
  });
}

test("setup.sh installs the packages once, and again when package-lock.json changed", async () => {
  await have(...all);
  expect(await setUp()).toMatchObject({ code: 0, text: expect.stringContaining("Installing the npm packages") });
  expect(await setUp()).toMatchObject({ code: 0, text: "", calls: [expect.stringMatching(/^npm ci /)] });
  await writeFile(join(clone, "package-lock.json"), "two");
  expect((await setUp()).calls).toHaveLength(2);
});

test("setup.sh names the Node that it needs to begin with", async () => {
  await program("node", 'echo "v18.19.0"');
  expect(await setUp()).toMatchObject({
    code: 1,
    text: expect.stringMatching(/Node 20 or newer.*Found: v18\.19\.0/),
    calls: [],
  });
});

test("setup.sh without root prints the line that installs PostgreSQL and NATS", async () => {
  await program("apt-get", 'echo "apt-get $*" >>calls');
  const { code, text, calls } = await setUp();
  expect(text).toContain(
    "Type: sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql postgresql-client nats-server\n",
  );
  expect({ code, calls }).toEqual({ code: 1, calls: [expect.stringMatching(/^npm/)] });
  expect(await setUp("tools")).toMatchObject({ code: 0, text: "" });
});

test("setup.sh installs only what is missing", async () => {
  await program("apt-get", 'echo "apt-get $*" >>calls');
  await program("id", "echo 0");
  await have(...postgres);
  const { text, calls } = await setUp();
  expect(text).toContain("Installing nats-server (apt-get install nats-server)");
  expect(calls.at(-1)).toBe("apt-get install -q -y --no-install-recommends nats-server");
});

test("setup.sh test installs a browser and promtool as well", async () => {
  await program("apt-get", 'echo "apt-get $*" >>calls');
  await program("id", "echo 0");
  await have(...all);
  expect((await setUp()).calls).toHaveLength(1);
  expect((await setUp("test")).calls.at(-1)).toBe("apt-get install -q -y --no-install-recommends chromium prometheus");
  await have("chromium", "promtool");
  expect(await setUp("test")).toMatchObject({ code: 0, text: "" });
});

test("setup.sh e2e installs what a Kubernetes is built from and runs on, and needs Linux", async () => {
  await program("apt-get", 'echo "apt-get $*" >>calls');
  await program("id", "echo 0");
  await have(...all, "go", "openssl", "ip", "iptables");
  expect((await setUp("e2e")).calls.at(-1)).toBe(
    "apt-get install -q -y --no-install-recommends mmdebstrap iproute2 iptables util-linux busybox-static containernetworking-plugins",
  );
  await program("uname", "echo Darwin");
  expect(await setUp("e2e")).toMatchObject({ code: 1, text: expect.stringContaining("make test E2E=no") });
});

test("setup.sh e2e installs an NFS server and its client where the release has them, and says so where they are left out", async () => {
  await program("apt-get", 'echo "apt-get $*" >>calls');
  await program("apt-cache", '[ "$2" = bash ]');
  await program("systemctl", 'echo "systemctl $*" >>calls');
  await have(...all, "go", "openssl", "ip", "iptables", "nsenter", "mmdebstrap", "rpcbind");
  for (const file of ["bin/busybox", "usr/lib/cni/bridge"]) {
    await mkdir(join(clone, file, ".."), { recursive: true });
    await writeFile(join(clone, file), "", { mode: 0o755 });
  }
  const leftOut = { code: 0, text: expect.stringContaining("tests on a real NFS export are skipped") };
  expect(await setUp("e2e")).toMatchObject(leftOut);
  await program("id", "echo 0");
  expect(await setUp("e2e")).toMatchObject({ ...leftOut, calls: [expect.stringMatching(/^npm/)] });
  await program("apt-cache", ":");
  expect((await setUp("e2e")).calls.slice(1)).toEqual([
    "apt-get update -q",
    "apt-get install -q -y --no-install-recommends user-mode-linux nfs-ganesha nfs-ganesha-vfs",
    "systemctl --quiet disable nfs-ganesha",
  ]);
  await have("linux.uml", "ganesha.nfsd");
  expect(await setUp("e2e")).toMatchObject({ code: 0, text: "" });
});

test("setup.sh as root says what it installs, and lets no server of the packages start", async () => {
  await program("id", "echo 0");
  await program("systemctl", 'echo "systemctl $*" >>calls');
  const [noCluster, noStart] = ["etc/postgresql-common/createcluster.d/keepsake-setup.conf", "usr/sbin/policy-rc.d"];
  await program(
    "apt-get",
    `read -r line <${noCluster}; sh ${noStart}; echo "apt-get $* $DEBIAN_FRONTEND $line, policy $?" >>calls`,
  );
  const { code, text, calls } = await setUp();
  expect(text).toContain(
    "Installing PostgreSQL's server and client (postgres, initdb, pg_dump, psql), nats-server (apt-get install postgresql postgresql-client nats-server)",
  );
  const how = "noninteractive create_main_cluster = false, policy 101";
  expect(calls.slice(1)).toEqual([
    `apt-get update -q ${how}`,
    `apt-get install -q -y --no-install-recommends postgresql postgresql-client nats-server ${how}`,
    "systemctl --quiet disable nats-server",
  ]);
  expect(code).toBe(0);
  for (const file of [noCluster, noStart]) await expect(readFile(join(clone, file))).rejects.toThrow("ENOENT");
});

test("setup.sh leaves the machine's own rule about starting servers as it is", async () => {
  await program("id", "echo 0");
  await program("apt-get", ":");
  const rule = join(clone, "usr/sbin/policy-rc.d");
  await mkdir(join(clone, "usr/sbin"), { recursive: true });
  await writeFile(rule, "#!/bin/sh\nexit 104\n");
  expect(await setUp()).toMatchObject({ code: 0 });
  expect(await readFile(rule, "utf8")).toContain("104");
});

test("setup.sh finds servers that are not on the PATH", async () => {
  const folder = join(clone, "usr/lib/postgresql/15/bin");
  await mkdir(folder, { recursive: true });
  await mkdir(join(clone, "usr/sbin"), { recursive: true });
  await have(...all);
  for (const [name, to] of [
    ["postgres", folder],
    ["initdb", folder],
    ["nats-server", join(clone, "usr/sbin")],
  ] as const) {
    await cp(join(bin, name), join(to, name));
    await rm(join(bin, name));
  }
  expect(await setUp()).toMatchObject({ code: 0 });
});

test("setup.sh on macOS names the line for Homebrew", async () => {
  await program("uname", "echo Darwin");
  expect(await setUp("test")).toMatchObject({
    code: 1,
    text: expect.stringContaining(
      "Type: brew install postgresql@17 && brew install nats-server && brew install --cask chromium && brew install prometheus\n",
    ),
  });
});

test("setup.sh says so when npm installed no Node, and tries again the next time", async () => {
  await program("npm", 'echo "npm $*" >>calls; mkdir -p node_modules');
  expect(await setUp()).toMatchObject({ code: 1, text: expect.stringContaining("npm rebuild node") });
  expect((await setUp()).calls).toHaveLength(2);
});
