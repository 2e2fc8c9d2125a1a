#!/usr/bin/env bash
# plproxy.sh: unpacks PL/Proxy from Debian's package into target/gateways/plproxy, unless the Postgres has it: for the private servers
# of tests and benchmarks. No root is needed, and nothing is installed. plproxy.sh --find: whether there is one.
. "$(dirname "$0")/environment.sh"
choose_postgres

unpacked=$target/gateways/plproxy
package=postgresql-$postgres_major-plproxy
has_it() {
    [ -e "$("$PG_CONFIG" --sharedir)/extension/plproxy.control" ] ||
        [ -e "$unpacked/usr/share/postgresql/$postgres_major/extension/plproxy.control" ]
}

! has_it || exit 0
# Another Postgres than the distribution's, though of this version, may have been built otherwise.
[ "$PG_CONFIG" = "$(realpath -m "/usr/lib/postgresql/$postgres_major/bin/pg_config")" ] || exit 1
apt-cache show "$package" >/dev/null 2>&1 || exit 1
[ "${1:-}" != --find ] || exit 0
rm -rf "$unpacked.new"
mkdir -p "$unpacked.new"
(cd "$unpacked.new" && apt-get -q -o APT::Sandbox::User= download "$package" && dpkg-deb --extract ./*.deb .)
rm "$unpacked.new"/*.deb
rm -rf "$unpacked"
mv "$unpacked.new" "$unpacked"
