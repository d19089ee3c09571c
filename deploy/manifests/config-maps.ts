import { type Manifest, object } from "./object.ts";
import { appNamespaces, type Site } from "./site.ts";

/** keepsake.yaml for the runs in each app's namespace, and the users that programs of other images ask for. */
export function configMaps(site: Site): Manifest[] {
  const uids = (namespace: string) => [
    ...new Map(
      site.apps.flatMap(({ kubernetes: { namespace: where, user } }) =>
        where === namespace && user && user.uid !== 0 ? [[user.uid, user.gid] as const] : [],
      ),
    ),
  ];
  return appNamespaces(site).map((namespace) => {
    const users = [
      "root:x:0:0::/root:/bin/sh",
      ...uids(namespace).map(([uid, gid]) => `run:x:${uid}:${gid}::/tmp:/bin/sh`),
    ];
    const data = { "keepsake.yaml": site.text, passwd: `${users.join("\n")}\n` };
    return object(["v1", "ConfigMap"], "keepsake", namespace, { data });
  });
}
