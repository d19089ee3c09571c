import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";

/** What builds Kubernetes 1.36. */
const version = "1.26.8";

/**
 * The Go to build with: the machine's when it is new enough, whatever its toolchain setting. An older one, such as
 * Debian's, is new enough to fetch that version from the module proxy, where Go's releases are modules (go.dev/doc/toolchain).
 * @returns Its path.
 */
export async function findGo(say: (line: string) => void): Promise<string> {
  const found = await command("go", ["env", "GOVERSION"], { env: { ...process.env, GOTOOLCHAIN: "local" } }).catch(
    (cause: unknown) => {
      throw new Error("Cannot build Kubernetes: Go is needed. Type: apt-get install golang-go", { cause });
    },
  );
  if (isNewEnough(found.trim())) return "go";
  say(`Fetching Go ${version} from the module proxy (the machine's is ${found.trim()})`);
  const platform = (await command("go", ["env", "GOOS", "GOARCH"])).trim().split("\n").join("-");
  const answer = await command(
    "go",
    ["mod", "download", "-json", `golang.org/toolchain@v0.0.1-go${version}.${platform}`],
    {
      env: { ...process.env, GO111MODULE: "on", GOFLAGS: "-mod=mod" },
      cwd: "/",
    },
  );
  const { Dir: folder } = JSON.parse(answer) as { Dir: string };
  await makeRunnable(folder);
  return join(folder, "bin/go");
}

/** go1.26.0 and all after it. */
export function isNewEnough(found: string): boolean {
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(found)?.map(Number) ?? [];
  return major > 1 || (major === 1 && minor >= 26);
}

/** Modules are files without rights. */
async function makeRunnable(toolchain: string): Promise<void> {
  for (const folder of ["bin", "pkg/tool"]) {
    const files = await readdir(join(toolchain, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const file of files) if (file.isFile()) await chmod(join(file.parentPath, file.name), 0o555);
  }
}
