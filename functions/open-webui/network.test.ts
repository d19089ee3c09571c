import { expect, test } from "vitest";
import { tempFolder } from "../../shared/testing.ts";
import { isOnNetwork, networkOf } from "./network.ts";

const [nfs, ext4, fuse] = [0x6969, 0xef53, 0x65735546];
const mounts = `overlay / overlay rw 0 0
10.20.10.20:/volume /mnt/k3s-nfs nfs4 rw,relatime,vers=4.2,local_lock=none 0 0
10.20.10.20:/other /mnt/k3s-nfs/no\\040locks nfs rw,vers=3,nolock,local_lock=all 0 0
//nas/share /mnt/smb cifs rw,nobrl 0 0
`;
const look = (type: number) => ({ type: async () => type, mounts: async () => mounts });

test("networkOf() asks the file system, unless the user says it", async () => {
  expect(await networkOf("/data", "auto", look(ext4))).toEqual({ network: false, locks: true });
  expect(await networkOf("/mnt/k3s-nfs/webui", "auto", look(nfs))).toEqual({ network: true, locks: true });
  expect(await networkOf("/data", "auto", look(fuse))).toEqual({ network: true, locks: true });
  expect(await networkOf("/mnt/k3s-nfs/webui", false, look(nfs))).toEqual({ network: false, locks: true });
  expect(await networkOf("/data", true, look(ext4))).toEqual({ network: true, locks: true });
  // As the kernel hands it over on a machine where it is signed.
  expect(await networkOf("/data", "auto", look(0xfe534d42 | 0))).toMatchObject({ network: true });
});

test("networkOf() knows a mount whose locks no other machine sees, by the mount that the folder lies in", async () => {
  expect(await networkOf("/mnt/k3s-nfs/no locks/webui", "auto", look(nfs))).toEqual({ network: true, locks: false });
  expect(await networkOf("/mnt/smb", "auto", look(0xff534d42))).toEqual({ network: true, locks: false });
  expect(await networkOf("/mnt/k3s-nfs/no locks too", "auto", look(nfs))).toEqual({ network: true, locks: true });
});

test("isOnNetwork() does not take this machine's folder of temporary files for one", async () => {
  expect(await isOnNetwork(await tempFolder())).toBe(false);
});
