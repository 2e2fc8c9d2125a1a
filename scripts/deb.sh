#!/usr/bin/env bash
# deb.sh [debug|release]: Debian packages of this checkout in target/deb: postgresql-NN-timedb, the extension for the Postgres
# that is chosen, and timedb-cli, the command. It installs nothing.
. "$(dirname "$0")/environment.sh"
choose_postgres

profile=${1:-release}
deb=$target/deb
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n1)
revision=$version-1
architecture=$(dpkg --print-architecture)
maintainer="The timedb maintainers <maintainers@timedb.invalid>"
extension=postgresql-$postgres_major-timedb

options=()
[ "$profile" = debug ] || options=(--release)
cargo build "${options[@]}" -p timedb -p timedb-testkit "${features[@]}"
cargo build "${options[@]}" -p timedb-cli
built=$target/$profile
rm -rf "$deb"
mkdir -p "$deb"

# put PACKAGE MODE FROM TO: a file of a package, at its place in the system.
put() {
    install -D -m "$2" "$3" "$deb/$1/$4"
}

# put_compressed PACKAGE TO: what comes on the standard input, as Debian has its manuals and changelogs.
put_compressed() {
    mkdir -p "$(dirname "$deb/$1/$2")"
    gzip -9n >"$deb/$1/$2"
    chmod 644 "$deb/$1/$2"
}

# put_program PACKAGE FROM TO: without what only a debugger reads.
put_program() {
    put "$1" 755 "$2" "$3"
    strip --strip-unneeded --remove-section=.comment "$deb/$1/$3"
}

put_documents() {
    local documents=usr/share/doc/$1
    mkdir -p "$deb/$1/$documents"
    {
        echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
        echo "Upstream-Name: timedb"
        printf '\nFiles: *\nCopyright: 2025-2026 The timedb contributors\nLicense: Apache-2.0\n'
        echo " On Debian systems the licence is in /usr/share/common-licenses/Apache-2.0."
    } >"$deb/$1/$documents/copyright"
    chmod 644 "$deb/$1/$documents/copyright"
    {
        printf '%s (%s) unstable; urgency=medium\n\n' "$1" "$revision"
        printf '  * Version %s: see changelog.gz.\n\n' "$version"
        printf ' -- %s  %s\n' "$maintainer" "$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")"
    } | put_compressed "$1" "$documents/changelog.Debian.gz"
    put_compressed "$1" "$documents/changelog.gz" <CHANGELOG.md
}

# The packages of the shared libraries that a program is linked to, as dpkg-shlibdeps finds them.
needed_libraries() {
    local folder=$deb/shlibdeps
    mkdir -p "$folder/debian"
    printf 'Source: timedb\n\nPackage: %s\nArchitecture: any\n' "$1" >"$folder/debian/control"
    (cd "$folder" && dpkg-shlibdeps -O "$2" 2>/dev/null) | sed 's/^shlibs:Depends=//'
    rm -r "$folder"
}

# pack PACKAGE SECTION DEPENDS DESCRIPTION: the description's first line is its summary.
pack() {
    local root=$deb/$1
    put_documents "$1"
    mkdir -p "$root/DEBIAN"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$1" "$revision" "$architecture"
        printf 'Maintainer: %s\nInstalled-Size: %s\n' "$maintainer" "$(du -sk --exclude=DEBIAN "$root" | cut -f1)"
        printf 'Depends: %s\nSection: %s\nPriority: optional\nDescription: %s\n' "$3" "$2" "$4"
    } >"$root/DEBIAN/control"
    (cd "$root" && find usr -type f -exec md5sum {} + | sort -k2 >DEBIAN/md5sums)
    find "$root" -type d -exec chmod 755 {} +
    dpkg-deb --root-owner-group --build "$root" "$deb/${1}_${revision}_$architecture.deb"
}

pack_extension() {
    local libraries extensions scripts step
    libraries=$("$PG_CONFIG" --pkglibdir)
    extensions=$("$PG_CONFIG" --sharedir)/extension
    mapfile -t scripts < <("$built/private-server" script "$deb")
    put_program "$extension" "$built/libtimedb.so" "${libraries#/}/timedb.so"
    # A library is not run.
    chmod 644 "$deb/$extension/${libraries#/}/timedb.so"
    for step in timedb.control router/*.control "${scripts[@]}" sql/timedb--*--*.sql; do
        put "$extension" 644 "$step" "${extensions#/}/$(basename "$step")"
    done
    rm "${scripts[@]}"
    pack "$extension" database \
        "postgresql-$postgres_major, $(needed_libraries "$extension" "$deb/$extension/${libraries#/}/timedb.so")" \
        "revised time series for PostgreSQL $postgres_major
 timedb keeps every version of forecasts and measurements, and answers what is
 known now, what was known at any moment in the past, and who changed what.
 Row-level security, bound to API keys that the extension checks, keeps tenants
 apart. Values are stored packed, one row per run and series."
}

pack_command() {
    put_program timedb-cli "$built/timedb" usr/bin/timedb
    "$built/timedb" man "$deb/man"
    local page
    for page in "$deb"/man/*.1; do
        put_compressed timedb-cli "usr/share/man/man1/$(basename "$page").gz" <"$page"
    done
    rm -r "$deb/man"
    mkdir -p "$deb/completions"
    "$built/timedb" completions bash >"$deb/completions/bash"
    "$built/timedb" completions zsh >"$deb/completions/zsh"
    "$built/timedb" completions fish >"$deb/completions/fish"
    put timedb-cli 644 "$deb/completions/bash" usr/share/bash-completion/completions/timedb
    put timedb-cli 644 "$deb/completions/zsh" usr/share/zsh/vendor-completions/_timedb
    put timedb-cli 644 "$deb/completions/fish" usr/share/fish/vendor_completions.d/timedb.fish
    rm -r "$deb/completions"
    pack timedb-cli database "$(needed_libraries timedb-cli "$deb/timedb-cli/usr/bin/timedb")" \
        "command and HTTP server of timedb, for revised time series
 timedb, an extension of PostgreSQL, keeps time series that are revised, of many
 tenants. This is its command: users and keys, files up and down, export and
 import of a tenant, maintenance, and an HTTP server. It connects as a role of
 the database and can do nothing that the role cannot."
}

pack_extension
pack_command
