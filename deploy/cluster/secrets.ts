import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ask, askIfThere } from "../../shared/cluster/ask.ts";
import { type Cluster, fieldManager, mergePatch } from "../../shared/cluster/client.ts";
import { type Manifest, partOf } from "../manifests/object.ts";
import type { Site } from "../manifests/site.ts";

/** Those of the functions that `deploy` makes. */
export const ownSecrets: readonly string[] = ["keepsake-config", "keepsake-token"];

/** keepsake.yaml for the functions, which have no ConfigMap. */
export const configSecret = ({ cluster, text }: Site): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "keepsake-config", namespace: cluster.functionNamespace, labels: partOf },
  type: "Opaque",
  data: { "keepsake-config": Buffer.from(text).toString("base64") },
});

/**
 * The token that restores want: that of the cluster, if it has one; else that of the file; else a new one. Afterwards
 * both have the same.
 * @param path Where it is kept for `make` on this machine, mode 0600.
 * @returns What was done, for people; nothing when all was there.
 */
export async function keepToken(cluster: Cluster, site: Site, path: string): Promise<string[]> {
  const [name, namespace] = ["keepsake-token", site.cluster.functionNamespace];
  const live = await askIfThere(`look at the secret "${name}"`, () =>
    cluster.core.readNamespacedSecret({ name, namespace }),
  );
  const onCluster = live?.data?.[name] ? Buffer.from(live.data[name], "base64").toString().trim() : undefined;
  const onFile = (await readFile(path, "utf8").catch(() => "")).trim() || undefined;
  const done: string[] = [];
  const token = onCluster ?? onFile ?? randomBytes(32).toString("hex");
  if (onCluster === undefined) {
    const data = { [name]: Buffer.from(token).toString("base64") };
    const body = { metadata: { name, namespace, labels: { ...partOf } }, type: "Opaque", data };
    await ask(`write the secret "${name}"`, () =>
      live
        ? cluster.core.patchNamespacedSecret({ name, namespace, body: { data }, fieldManager }, mergePatch)
        : cluster.core.createNamespacedSecret({ namespace, body, fieldManager }),
    );
    done.push(`Made the secret ${namespace}/${name}: the token that restores want`);
  }
  if (onFile !== token) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, `${token}\n`, { mode: 0o600 });
    await chmod(path, 0o600);
    done.push(`Kept the token in ${path}: TOKEN_FILE=${path} makes make use it`);
  }
  return done;
}
