import { type AnyAppType, isMirror } from "../app.ts";
import { mirrorPoints } from "../nas/mirror-points.ts";
import type { AppFolders } from "../nas/nas.ts";
import { listPoints, type RestorePoint } from "../nas/points.ts";

/** What an app can go back to, oldest first; of a mirror its one state, if there is one. Throws as `listPoints`. */
export const pointsOf = (folders: AppFolders, type: AnyAppType): Promise<RestorePoint[]> =>
  isMirror(type) ? mirrorPoints(folders, type.mirror) : listPoints(folders, type.artefacts);
