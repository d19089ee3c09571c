import type { Cluster } from "../../shared/cluster/client.ts";
import type { NasLook } from "../../shared/nas/look.ts";
import { count } from "../../shared/words.ts";
import type { Check } from "../cli/checks.ts";
import type { ClusterApp, Site } from "../manifests/site.ts";
import { type Hindered, lookAsApp } from "./look.ts";

/** Whether each app's runs can use the export, looked at from a pod as they are. */
export async function checkNas(cluster: Cluster, site: Site, apps = site.apps): Promise<Check[]> {
  const looks = apps.map(async (app) => checkLook(site, app, await lookAsApp(cluster, site, app)));
  return Promise.all(looks);
}

/** In words, with the line that mends it. */
export function checkLook({ config }: Site, app: ClusterApp, look: NasLook | Hindered): Check {
  const { uid, gid } = app.kubernetes.user ?? { uid: 0, gid: 0 };
  const what = `${app.name}: NAS`;
  if ("failed" in look) {
    const { failed: found, hint: remedy } = look;
    return { what, ok: false, found, ...(remedy !== undefined && { remedy }) };
  }
  if (look.notMarked !== undefined) {
    const remedy = "Is it the right export (nasExport)? To mark it, after a question: make deploy CONFIG=…";
    return { what, ok: false, found: look.notMarked, remedy };
  }
  const { server, path } = config.nasExport;
  const onServer = (place: string) => place.replace(config.nas, path);
  const squashed = look.makes !== undefined && look.makes !== `${uid}:${gid}`;
  const as = squashed ? `${uid}:${gid}, whom the NAS takes for ${look.makes},` : `${uid}:${gid}`;
  if (look.closedCount > 0) {
    const more =
      look.closedCount > look.closed.length ? `, and ${count(look.closedCount - look.closed.length, "other")}` : "";
    const whose = look.makes ?? `${uid}:${gid}`;
    const folder = `'${path.replace(/\/$/, "")}/${app.name}'`;
    const remedy = [
      `On ${server}, as root: mkdir -p ${folder} && chown -R ${whose} ${folder}`,
      ...(look.makes === undefined ? ["If it takes root for nobody (root_squash), chown to that user instead."] : []),
    ].join("\n");
    return { what, ok: false, found: `${as} cannot use ${look.closed.map(onServer).join(", ")}${more}`, remedy };
  }
  const free = `${Math.round((look.freeBytes ?? 0) / 1e9)} GB free`;
  return {
    what,
    ok: true,
    found: `${as} can write there; ${free}${look.partly ? "; not every file was looked at" : ""}`,
  };
}
