import { command } from "./command.ts";

let known: Promise<unknown> | undefined;

/** Fetches apt's lists of packages when this machine has none, as in a fresh container. */
function listsOfPackages(): Promise<unknown> {
  known ??= isPackage("containerd").then(async (is) => {
    if (!is) await command("apt-get", ["update", "-q"]);
  });
  return known;
}

const isPackage = (name: string): Promise<boolean> =>
  command("apt-cache", ["show", "--no-all-versions", name]).then(
    (text) => text !== "",
    () => false,
  );

/** The first of alternatives, such as "a | b", that the machine's release has. */
export async function firstPackage(alternatives: string): Promise<string> {
  await listsOfPackages();
  for (const name of alternatives.split("|").map((part) => part.trim())) if (await isPackage(name)) return name;
  throw new Error(`Cannot find a package: one of ${alternatives} is wanted, the machine's release has none`);
}
