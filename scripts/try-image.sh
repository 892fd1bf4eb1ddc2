#!/bin/sh
# Builds the image from the Dockerfile and runs it: practice mode to its end, then the daemon from start to SIGTERM.
#
# No container registry is needed: the base image is made on this machine, from Debian packages and the Node that runs here,
# and stands in for the one that the Dockerfile names. So it tells whether the Dockerfile works, not whether that base does.
# Needs root, Debian 12 and a Node of the version in .nvmrc in PATH; installs buildah, podman, runc and debootstrap. Not part of the tests.
set -eu
cd "$(dirname "$0")/.."
say() { echo "try-image: $*" >&2; }
die() { say "$*"; exit 1; }

[ "$(id -u)" = 0 ] || die 'root is needed, for debootstrap and the containers'
command -v apt-get >/dev/null || die 'apt-get is needed'
[ "$(node -p 'process.versions.node.split(".")[0]')" = "$(cat .nvmrc)" ] || die "Node $(cat .nvmrc) must be in PATH"

base=$(sed -n 's/^FROM \(node:[^ ]*\) AS build$/\1/p' Dockerfile)
name=docker.io/library/$base
image=localhost/mimecast-forwarder:try
scratch=$(mktemp -d)
run="podman --runtime runc --cgroup-manager cgroupfs"
made='' id=''
clean_up() {
  [ -z "$id" ] || $run rm -f "$id" >/dev/null 2>&1
  buildah rmi -f "$image" $made >/dev/null 2>&1
  rm -rf "$scratch"
}
trap clean_up EXIT
# Without them runc asks for more than a machine that is itself a container may give.
limits='--ulimit nofile=16384:16384 --ulimit nproc=4096:4096'
guarded='--read-only --cap-drop all --security-opt no-new-privileges'

say 'installing buildah, podman, runc, debootstrap'
apt-get update -qq || say 'the lists of packages could not be refreshed; going on with those that are there'
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah podman runc debootstrap >/dev/null

# Both images go at the end: nobody's next build shall take the stand-in for the real base.
make_stand_in() {
  say "making a stand-in for $base"
  root=$scratch/root
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >/dev/null
  cp "$(node -p process.execPath)" "$root/usr/local/bin/node"
  npm_folder=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -R "$npm_folder" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  chroot "$root" useradd --uid 1000 --create-home node
  # A machine behind a proxy that inspects TLS trusts more than Debian does; npm in the image must too.
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  mkdir -p "$root/usr/local/etc"
  {
    echo 'cafile=/etc/ssl/certs/ca-certificates.crt'
    echo "registry=$(cd / && npm config get registry)"
  } >"$root/usr/local/etc/npmrc"
  container=$(buildah from scratch)
  buildah copy -q "$container" "$root" / >/dev/null
  buildah config --cmd node --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit -q "$container" "$name" >/dev/null
  buildah rm "$container" >/dev/null
}
if buildah inspect --type image "$name" >/dev/null 2>&1; then
  say "using the $base that is here"
else
  make_stand_in
  made=$name
fi

say 'building the image'
buildah bud -q --isolation chroot --pull-never --format docker -t "$image" . >/dev/null
$run images "$image" >&2

say 'practice: the demo, without a network'
# shellcheck disable=SC2086
$run run --rm $limits $guarded --network none --tmpfs /tmp "$image" demo >"$scratch/events"
[ "$(wc -l <"$scratch/events")" -ge 24 ] || die 'the demo printed too few events'

say 'the daemon, with a Mimecast that cannot be reached: healthy, not ready, and gone with exit 0 after SIGTERM'
printf secret >"$scratch/secret" && chmod 444 "$scratch/secret" && chmod 755 "$scratch"
# The host's network (port 9464 must be free), since a network of its own would want more from the machine.
# shellcheck disable=SC2086
id=$($run run -d $limits $guarded --network host -v "$scratch/secret:/run/secrets/mimecast_client_secret:ro" \
  -e MIMECAST_BASE_URL=http://127.0.0.1:9 -e MIMECAST_CLIENT_ID=try -e SYSLOG_HOST=127.0.0.1 "$image")
ask() { node -e 'fetch("http://127.0.0.1:9464" + process.argv[1]).then((r) => console.log(r.status), () => console.log("none"))' "$1"; }
tries=0
until [ "$(ask /healthz)" = 200 ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 40 ] || { $run logs "$id" >&2; die 'the daemon did not become healthy'; }
  sleep 0.5
done
[ "$(ask /readyz)" = 503 ] || die '/readyz did not say that Mimecast cannot be reached'
$run exec "$id" node -e 'process.exit(process.getuid() === 1000 ? 0 : 1)' || die 'it does not run as user 1000'
$run healthcheck run "$id" >&2 || say 'the health check could not be run here'
$run stop -t 15 "$id" >/dev/null
[ "$($run inspect -f '{{.State.ExitCode}}' "$id")" = 0 ] || { $run logs "$id" >&2; die 'it did not end with 0'; }
say 'good: built, ran as user 1000 on a read-only file system, ended by SIGTERM with 0'
