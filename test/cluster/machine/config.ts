import { join } from "node:path";
import { pause } from "../images/busybox.ts";
import { addresses, groupOf, placesOf, type Run } from "./run.ts";

/*
 * The configuration of what runs on the node. Each line that is not there for its own sake keeps the node from
 * touching the machine that it is on, or from needing what a container does not have.
 */

/** For containerd 1 and 2, which reads the older format as well. */
export const containerdConfig = (run: Run) => `
version = 2
root = "${join(run.folder, "containerd")}"
state = "/run/containerd"

[grpc]
  address = "${placesOf(run.folder).containerdSocket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "${join(run.folder, "opt")}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pause}"
  # Without the right to raise priorities (CAP_SYS_RESOURCE) no pod would start.
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(run.folder, "network")}"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "${join(run.containerd, "usr/sbin/runc")}"
      SystemdCgroup = false
`;

/** See kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1. */
export const kubeletConfig = (run: Run) => ({
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: join(placesOf(run.folder).keys, "ca.crt") },
  },
  authorization: { mode: "Webhook" },
  tlsCertFile: join(placesOf(run.folder).keys, "kubelet.crt"),
  tlsPrivateKeyFile: join(placesOf(run.folder).keys, "kubelet.key"),
  containerRuntimeEndpoint: `unix://${placesOf(run.folder).containerdSocket}`,
  cgroupDriver: "cgroupfs",
  cgroupRoot: `/${groupOf(run)}`,
  failCgroupV1: false,
  enforceNodeAllocatable: [],
  clusterDNS: [addresses.node],
  clusterDomain: "cluster.local",
  podLogsDir: join(placesOf(run.folder).logs, "pods"),
  volumePluginDir: join(run.folder, "volume-plugins"),
  // How full the machine's disk is, and whether it swaps, is none of the tests' business.
  failSwapOn: false,
  localStorageCapacityIsolation: false,
  imageGCHighThresholdPercent: 100,
  evictionHard: {
    "memory.available": "50Mi",
    "nodefs.available": "0%",
    "nodefs.inodesFree": "0%",
    "imagefs.available": "0%",
    "imagefs.inodesFree": "0%",
  },
  nodeStatusUpdateFrequency: "5s",
  syncFrequency: "10s",
  // Else a container that ends again and again has tests wait for a minute.
  crashLoopBackOff: { maxContainerRestartPeriod: "2s" },
});

/** A bridge, addresses from a file: see cni.dev/plugins/current. */
export const networkConfig = (run: Run) => ({
  cniVersion: "1.0.0",
  name: "keepsake",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      // Nobody is outside, so nobody has to be told where an answer goes.
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        dataDir: join(run.folder, "addresses"),
        ranges: [[{ subnet: addresses.pods }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    },
  ],
});

/**
 * What the kubelet calls to mount a volume: an NFS export is a folder of the machine, shown in its place. The
 * kubelet's own code for NFS volumes runs as ever, and hears from this what mount.nfs says (nfs(5), exit 32).
 */
export const mountProgram = (run: Run) => `#!/bin/sh
case " $* " in *" -t nfs "*) ;; *) exec /bin/mount "$@" ;; esac
echo "$*" >>'${placesOf(run.folder).nfsMounts}'
options=bind
for argument; do
  case $argument in
    *:/*) path=\${argument#*:} ;;
    ro | ro,* | *,ro | *,ro,*) options=bind,ro ;;
  esac
  target=$argument
done
if [ ! -d '${placesOf(run.folder).exports}'"$path" ]; then
  echo "mount.nfs: access denied by server while mounting $path" >&2
  exit 32
fi
exec /bin/mount -o $options '${placesOf(run.folder).exports}'"$path" "$target"
`;
