import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { command } from "./command.ts";
import { findGo } from "./go.ts";
import { made } from "./made.ts";

const sources = join(import.meta.dirname, "../kubernetes");

/** As the programs are called; `kubernetes/main.go` has the same list. */
const programs = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
  "kubelet",
  "kubectl",
];

/**
 * All programs of Kubernetes, built from the Go module proxy: minutes the first time, then kept. The versions and sums
 * of all modules are in `kubernetes/go.mod` and `go.sum`. Go keeps what it fetched and compiled in caches of its own (4 GB).
 * @returns The folder that they are in.
 */
export async function buildKubernetes(say: (line: string) => void): Promise<string> {
  const texts = await Promise.all(["go.mod", "go.sum", "main.go"].map((name) => readFile(join(sources, name), "utf8")));
  const key = createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16);
  const shelf = join(cacheFolder, "kubernetes");
  const folder = await made(join(shelf, key), async (making) => {
    const go = await findGo(say);
    const [, version] = /k8s\.io\/kubernetes (v\S+)/.exec(texts[0]!)!;
    say(`Building Kubernetes ${version} from the Go module proxy: about six minutes on two cores, once`);
    await mkdir(making);
    const flags = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", linkerFlags(version!)];
    // A GOROOT would be that of another Go.
    const env = {
      ...process.env,
      GOROOT: undefined,
      GOTOOLCHAIN: "local",
      CGO_ENABLED: "0",
      GOFLAGS: "",
      GOWORK: "off",
    };
    await command(go, ["build", ...flags, "-o", join(making, "kubernetes"), "."], { cwd: sources, env });
    for (const program of programs) await symlink("kubernetes", join(making, program));
  });
  const others = (await readdir(shelf)).filter((name) => /^[0-9a-f]{16}$/.test(name) && name !== key);
  for (const other of others) await rm(join(shelf, other), { recursive: true });
  return folder;
}

/** Kubernetes learns its version when it is linked; without one it says v0.0.0, and its parts refuse one another. */
function linkerFlags(version: string): string {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(version)!;
  const facts = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const settings = Object.entries(facts).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  return ["-s -w", ...settings].join(" ");
}
