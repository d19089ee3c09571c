import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Disk } from "../disk.ts";
import { createStep } from "../step.ts";
import { hiddenFolder, initNas } from "./nas.ts";

/**
 * Marks an export, and lets each app's user write there: `.keepsake` is open to all of them as /tmp is, and apps that have
 * no folder yet get one of their own. What is there already keeps owner and mode. An export that takes everybody for one
 * user lets nobody give anything away, and needs it not.
 * @param apps With whom their runs are.
 * @throws {Failure} `nas_not_marked`.
 * @throws {NodeJS.ErrnoException} `EACCES`… where the export does not let this process write.
 */
export async function prepareNas(
  root: string,
  apps: readonly { readonly name: string; readonly user: { readonly uid: number; readonly gid: number } }[],
): Promise<void> {
  const { created } = await initNas(root, new Disk(createStep()));
  if (created) await chmod(join(root, hiddenFolder), 0o1777).catch(notAllowed);
  for (const { name, user } of apps) {
    const folder = join(root, name);
    const made = await mkdir(folder).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
        return false;
      },
    );
    if (made) await chown(folder, user.uid, user.gid).catch(notAllowed);
  }
}

function notAllowed(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPERM" && error.code !== "EACCES" && error.code !== "EINVAL") throw error;
}
