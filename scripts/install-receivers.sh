#!/bin/sh
# Installs the real receivers that the tests start: rsyslog, Prometheus, openssl, kcat, nats-server, Chromium and mandoc as Debian packages, and
# syslog-ng, which Debian does not allow beside rsyslog, extracted into .cache/syslog-ng. May be run again at any time.
# It never fails: a test whose receiver is missing is skipped and named in the report.
set -u
packages='rsyslog rsyslog-gnutls rsyslog-openssl rsyslog-relp prometheus openssl kcat nats-server zsh fish chromium fonts-inter mandoc'
# syslog-ng-core, the libraries that it depends on, and libffi8 for libglib.
syslog_ng_packages='syslog-ng-core libcap2 libffi8 libglib2.0-0 libivykis0 libjson-c5 libnet1 libpcre3 libssl3 libsystemd0 libwrap0'
prefix=$(cd "$(dirname "$0")/.." && pwd)/.cache/syslog-ng
launcher=$prefix/syslog-ng

loudly() { echo "install-receivers: ******** $* ********" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The lists of packages are fetched once, and only when something is missing.
refresh_lists() {
  [ -n "${lists_are_fresh:-}" ] && return
  lists_are_fresh=yes
  as_root apt-get update -qq || loudly 'apt-get update failed; going on with the lists that are there'
}

install_package() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] && return
  refresh_lists
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2 ||
    loudly "$1 could not be installed: its tests will be skipped"
}

# In a subshell and a scratch folder: half a download must not look like a whole one to the next run.
extract_syslog_ng() (
  scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && cd "$scratch" || exit 1
  mkdir packages root || exit 1
  # apt drops its rights for downloads; the folder has to let it in.
  chmod 755 . && chmod 777 packages && cd packages || exit 1
  for package in $syslog_ng_packages; do
    apt-get download -qq "$package" >&2 || exit 1
  done
  for file in *.deb; do
    dpkg-deb -x "$file" ../root || exit 1
  done
  mkdir -p "$(dirname "$prefix")" && rm -rf "$prefix" && mv ../root "$prefix"
)

# The paths compiled into syslog-ng are those of an installed one; this starts it with the ones of the prefix.
write_launcher() {
  cat >"$launcher" <<'EOF'
#!/bin/sh
prefix=$(cd "$(dirname "$0")" && pwd)
for folder in "$prefix"/usr/lib/syslog-ng "$prefix"/usr/lib/*-linux-gnu* "$prefix"/lib/*-linux-gnu*; do
  LD_LIBRARY_PATH=$folder:${LD_LIBRARY_PATH:-}
done
export LD_LIBRARY_PATH
exec "$prefix"/usr/sbin/syslog-ng --module-path="$(echo "$prefix"/usr/lib/syslog-ng/[0-9]*)" "$@"
EOF
  chmod +x "$launcher"
}

if ! command -v apt-get >/dev/null 2>&1; then
  loudly 'no apt-get here: install rsyslog, syslog-ng, prometheus, openssl, kcat, nats-server and chromium by hand, or see their tests skipped'
  exit 0
fi
for package in $packages; do install_package "$package"; done
if ! "$launcher" --version >/dev/null 2>&1; then
  refresh_lists
  { extract_syslog_ng && write_launcher && "$launcher" --version >/dev/null; } ||
    loudly 'syslog-ng could not be had: its tests will be skipped'
fi
exit 0
