#!/bin/sh
# Extracts syslog-ng with its Python plugin into a folder: Debian does not let it be installed beside rsyslog, which the tests use.
#   sh bench/syslog-ng/install.sh FOLDER
# Exits 1 when it cannot be had; the benchmark then goes on without it.
set -eu
packages='syslog-ng-core syslog-ng-mod-python libcap2 libexpat1 libffi8 libglib2.0-0 libivykis0 libjson-c5 libnet1 libpcre3
  libpython3.11 libpython3.11-minimal libpython3.11-stdlib libssl3 libsystemd0 libwrap0 zlib1g'
folder=$1
command -v apt-get >/dev/null || { echo 'syslog-ng: there is no apt-get here' >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# apt gives up its rights before it downloads, and has to be let in.
chmod 755 "$scratch"
mkdir -m 777 "$scratch/packages"
cd "$scratch/packages"
# shellcheck disable=SC2086
apt-get download -qq $packages >&2
for package in *.deb; do dpkg-deb -x "$package" "$scratch/root"; done

# The paths compiled into the program are those of an installed one.
cat >"$scratch/root/start" <<'EOS'
#!/bin/sh
root=$(cd "$(dirname "$0")" && pwd)
for libraries in "$root"/usr/lib/syslog-ng "$root"/usr/lib/*-linux-gnu "$root"/lib/*-linux-gnu; do
  LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:-}
done
modules=$(echo "$root"/usr/lib/syslog-ng/[0-9]*)
PYTHONPATH=$modules/python:${PYTHONPATH:-}
PYTHONHOME=$root/usr
export LD_LIBRARY_PATH PYTHONPATH PYTHONHOME
exec "$root"/usr/sbin/syslog-ng --module-path="$modules" "$@"
EOS
chmod +x "$scratch/root/start"
"$scratch/root/start" --version >/dev/null
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
mv "$scratch/root" "$folder"
