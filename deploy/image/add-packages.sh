#!/bin/sh
# Run in the image as root: installs the packages of the list beside it, PostgreSQL's from the packages of its own project.
set -eu
export DEBIAN_FRONTEND=noninteractive
packages=$(sed -e '/^#/d' -e 's/ *|.*//' "$(dirname "$0")/packages")
apt-get update -q
apt-get install -q -y --no-install-recommends ca-certificates postgresql-common
/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
# shellcheck disable=SC2086 # names of packages
apt-get install -q -y --no-install-recommends $packages
apt-get purge -q -y --auto-remove postgresql-common
rm -rf /var/lib/apt/lists/*
