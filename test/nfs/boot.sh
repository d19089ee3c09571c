#!/bin/sh
# The first process of a client: mounts the export, and becomes the program that the tests speak to.
#   boot.sh <name> <address> <server> <where> <program…>
# The machine's own file system is the client's, by hostfs; /mnt is in its memory.
set -eu
name=$1 address=$2 server=$3 where=$4
shift 4

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /mnt
# What a client is told apart by, by the server too.
busybox hostname "$name"

modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in net/sunrpc/sunrpc fs/netfs/netfs fs/fscache/fscache net/dns_resolver/dns_resolver fs/lockd/grace \
  fs/nfs_common/grace fs/nfs_common/nfs_acl fs/lockd/lockd fs/nfs/nfs fs/nfs/nfsv4; do
  # Kernels differ in what they have built in.
  [ ! -e "$modules/$module.ko" ] || busybox insmod "$modules/$module.ko"
done

busybox ifconfig lo 127.0.0.1 up
busybox ifconfig eth0 "$address" netmask 255.255.255.0 up
mkdir "$where"
# The server may still be starting.
until busybox mount -t nfs4 -o "vers=4.2,addr=$server,clientaddr=$address" "$server:/export" "$where"; do
  sleep 0.2
done

exec </dev/tty1 >/dev/tty1
stty raw -echo
exec "$@"
