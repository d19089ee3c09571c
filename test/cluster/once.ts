import { existsSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Does something that one of several processes has to do: the first one does it, the others wait until it is done. When it
 * fails, the next one tries.
 * @param path What is there when it is done: an empty file.
 */
export async function once(path: string, work: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true });
  while (!existsSync(path)) {
    if (!(await take(lock))) {
      await delay(50);
      continue;
    }
    try {
      if (!existsSync(path)) await work();
      await writeFile(path, "");
    } finally {
      await rmdir(lock);
    }
  }
}

const take = (lock: string): Promise<boolean> =>
  mkdir(lock).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      return false;
    },
  );
