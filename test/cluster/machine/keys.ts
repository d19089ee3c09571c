import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "../install/command.ts";
import { addresses, nodeName, placesOf } from "./run.ts";

const names = [
  "localhost",
  ...["", ".default", ".default.svc", ".default.svc.cluster.local"].map((end) => `kubernetes${end}`),
];
const serving = `subjectAltName=${[...names.map((name) => `DNS:${name}`), ...["127.0.0.1", addresses.node, addresses.api].map((ip) => `IP:${ip}`)].join(",")}`;

/** Who has a certificate: its subject, what it is for, and the names it serves. */
const certificates: Record<string, [subject: string, usage: string, ...extensions: string[]]> = {
  apiserver: ["/CN=kube-apiserver", "serverAuth", serving],
  kubelet: ["/CN=kubelet", "serverAuth", `subjectAltName=DNS:${nodeName},IP:${addresses.node}`],
  admin: ["/O=system:masters/CN=admin", "clientAuth"],
  controllers: ["/CN=system:kube-controller-manager", "clientAuth"],
  scheduler: ["/CN=system:kube-scheduler", "clientAuth"],
  node: [`/O=system:nodes/CN=system:node:${nodeName}`, "clientAuth"],
};

/**
 * Makes an authority, certificates for each part of a cluster, and the key that service accounts' tokens are signed
 * with (`accounts.key`). See kubernetes.io/docs/setup/best-practices/certificates.
 */
export async function makeKeys(folder: string): Promise<void> {
  const { keys } = placesOf(folder);
  await mkdir(keys, { recursive: true, mode: 0o700 });
  const openssl = (name: string, subject: string, extensions: string[], signer: string[] = []) => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", `${name}.key`];
    const extras = extensions.flatMap((extension) => ["-addext", extension]);
    const args = ["req", "-x509", ...key, "-subj", subject, "-days", "30", ...extras, ...signer, "-out", `${name}.crt`];
    return command("openssl", args, { cwd: keys });
  };
  await openssl("ca", "/CN=keepsake-tests", ["keyUsage=critical,keyCertSign,cRLSign"]);
  const signer = ["-CA", "ca.crt", "-CAkey", "ca.key"];
  await Promise.all(
    Object.entries(certificates).map(([name, [subject, usage, ...extensions]]) =>
      openssl(
        name,
        subject,
        ["basicConstraints=critical,CA:FALSE", `extendedKeyUsage=${usage}`, ...extensions],
        signer,
      ),
    ),
  );
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  await writeFile(join(keys, "accounts.key"), pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(keys, "accounts.pub"), pair.publicKey.export({ type: "spki", format: "pem" }));
}

/** A kubeconfig of one of those who have a certificate, complete in itself. JSON is YAML. */
export async function kubeconfigOf(folder: string, name: string, server: string): Promise<string> {
  const { keys } = placesOf(folder);
  const base64 = async (file: string) => (await readFile(join(keys, file))).toString("base64");
  const user = {
    "client-certificate-data": await base64(`${name}.crt`),
    "client-key-data": await base64(`${name}.key`),
  };
  return kubeconfig(server, await base64("ca.crt"), user);
}

/** @param authority The certificate of the cluster's authority, in base64. */
export function kubeconfig(server: string, authority: string, user: object): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": authority } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
}
