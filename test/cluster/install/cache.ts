import { homedir } from "node:os";
import { join } from "node:path";

/** What takes minutes to make and is the same each time, and the folders of running clusters: ~/.cache/keepsake */
export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "keepsake");
