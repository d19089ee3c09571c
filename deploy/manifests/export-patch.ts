import { functionsAccount, type Site } from "./site.ts";

/** The volume of the export in a function's pod. */
export const exportVolume = "keepsake-export";

/**
 * What the MutatingAdmissionPolicy does to a function's Deployment, as a strategic merge patch: for a cluster that has
 * no such policies. faas-netes keeps what it does not know, so it holds until the function is removed.
 * @param containers The names of the Deployment's containers.
 */
export function exportPatch({ config }: Site, containers: readonly string[]): object {
  const { server, path } = config.nasExport;
  const volumeMounts = [{ name: exportVolume, mountPath: config.nas, readOnly: true }];
  const pod = {
    serviceAccountName: functionsAccount,
    automountServiceAccountToken: true,
    volumes: [{ name: exportVolume, nfs: { server, path, readOnly: true } }],
    containers: containers.map((name) => ({ name, volumeMounts })),
  };
  return { spec: { template: { spec: pod } } };
}
