import { Failure } from "../../shared/failures.ts";

const maxNameBytes = 1024;

/**
 * Refuses names that could leave the folder they are unpacked into, or mean one file here and another one on a Mac,
 * which folds case and composes accents.
 * @param path Of the archive, for the message.
 * @throws {Failure} `backup_hostile`.
 */
export function checkNames(path: string, names: readonly string[]): void {
  const seen = new Map<string, "file" | "folder">();
  for (const name of names) {
    const refuse = (why: string) => hostile(path, `its entry ${JSON.stringify(name.slice(0, 200))} ${why}`);
    if (Buffer.byteLength(name) > maxNameBytes) throw refuse(`has a name of more than ${maxNameBytes} bytes`);
    if (/[\0-\x1f\x7f\\]/.test(name)) throw refuse("has a name with a control character or a backslash");
    if (/^(?:\/|[A-Za-z]:)/.test(name)) throw refuse("has an absolute name");
    const parts = name.replace(/\/$/, "").split("/");
    if (parts.some((part) => part === ".." || part === "." || part === ""))
      throw refuse("has a name that leaves its folder");

    const folded = parts.map((part) => part.normalize("NFC").toLowerCase());
    const own = folded.join("/");
    const kind = name.endsWith("/") ? "folder" : "file";
    if (seen.has(own) && (kind === "file" || seen.get(own) === "file")) throw refuse("is there twice");
    seen.set(own, kind);
    for (let depth = 1; depth < folded.length; depth++) {
      const above = folded.slice(0, depth).join("/");
      if (seen.get(above) === "file") throw refuse("lies in something that is a file");
      seen.set(above, "folder");
    }
  }
}

export function hostile(path: string, why: string): Failure {
  return new Failure("backup_hostile", `Cannot trust "${path}": ${why}`, {
    hint: "No game writes such a file. Find out where it came from.",
  });
}
