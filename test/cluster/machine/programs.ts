import { join } from "node:path";
import { answers } from "./answers.ts";
import { addresses, nodeName, placesOf, type Run } from "./run.ts";

/** In the order in which they start: each wants those before it. */
export const programNames = [
  "containerd",
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
] as const;
export type ProgramName = (typeof programNames)[number];

export interface Program {
  command: string;
  args: string[];
  /** Whether it does its work. */
  isReady(): Promise<boolean>;
}

/** What a cluster consists of. All of it talks on addresses of its own network namespace. */
export function programsOf(run: Run): Record<ProgramName, Program> {
  const { keys } = placesOf(run.folder);
  const key = (name: string) => join(keys, name);
  const config = (name: string) => join(run.folder, name);
  const kubernetes = (name: ProgramName, flags: Record<string, string>, isReady: () => Promise<boolean>): Program => ({
    command: join(run.kubernetes, name),
    args: Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
    isReady,
  });
  const clientOf = (name: string) => ({
    kubeconfig: config(`${name}.kubeconfig`),
    "authentication-kubeconfig": config(`${name}.kubeconfig`),
    "authorization-kubeconfig": config(`${name}.kubeconfig`),
    "bind-address": "127.0.0.1",
    "leader-elect": "false",
  });
  const etcd = "http://127.0.0.1:2379";

  return {
    containerd: {
      command: join(run.containerd, "usr/bin/containerd"),
      args: ["--config", config("containerd.toml")],
      isReady: () => answers({ socketPath: placesOf(run.folder).containerdSocket }),
    },
    etcd: kubernetes(
      "etcd",
      {
        "data-dir": config("etcd"),
        "listen-client-urls": etcd,
        "advertise-client-urls": etcd,
        "log-level": "warn",
        // A cluster that dies with the machine has nothing to lose with it.
        "unsafe-no-fsync": "true",
      },
      () => answers({ port: 2379, path: "/health" }),
    ),
    "kube-apiserver": kubernetes(
      "kube-apiserver",
      {
        "etcd-servers": etcd,
        "bind-address": "0.0.0.0",
        "advertise-address": addresses.node,
        "tls-cert-file": key("apiserver.crt"),
        "tls-private-key-file": key("apiserver.key"),
        "client-ca-file": key("ca.crt"),
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "service-cluster-ip-range": addresses.services,
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": key("accounts.pub"),
        "service-account-signing-key-file": key("accounts.key"),
        "kubelet-client-certificate": key("admin.crt"),
        "kubelet-client-key": key("admin.key"),
        "kubelet-certificate-authority": key("ca.crt"),
        "kubelet-preferred-address-types": "InternalIP",
      },
      () => answers({ port: 6443, path: "/readyz", tls: true }),
    ),
    "kube-controller-manager": kubernetes(
      "kube-controller-manager",
      {
        ...clientOf("controllers"),
        "root-ca-file": key("ca.crt"),
        "service-account-private-key-file": key("accounts.key"),
        // With RBAC each controller has an account of its own, or none may do what it is for.
        "use-service-account-credentials": "true",
        // The limits that spare a large cluster cost a small one five seconds at its start.
        "kube-api-qps": "1000",
        "kube-api-burst": "2000",
      },
      () => answers({ port: 10257, path: "/healthz", tls: true }),
    ),
    "kube-scheduler": kubernetes("kube-scheduler", clientOf("scheduler"), () =>
      answers({ port: 10259, path: "/healthz", tls: true }),
    ),
    kubelet: kubernetes(
      "kubelet",
      {
        config: config("kubelet.json"),
        kubeconfig: config("node.kubeconfig"),
        "root-dir": config("kubelet"),
        "hostname-override": nodeName,
        "node-ip": addresses.node,
      },
      () => answers({ port: 10248, path: "/healthz" }),
    ),
    "kube-proxy": kubernetes(
      "kube-proxy",
      {
        kubeconfig: config("admin.kubeconfig"),
        "proxy-mode": "iptables",
        "cluster-cidr": addresses.pods,
        "hostname-override": nodeName,
        // A limit of the whole machine, which stays as it is.
        "conntrack-max-per-core": "0",
      },
      () => answers({ port: 10256, path: "/healthz" }),
    ),
  };
}
