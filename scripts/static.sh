#!/usr/bin/env bash
# Checks that run nothing: pgspot over the SQL that installs and updates timedb, cargo-deny over the licences
# and the origin of every crate. Any finding fails.
. "$(dirname "$0")/environment.sh"

static=$target/static
pgspot=$static/bin/pgspot
pgspot_version=0.9.4
# Its parser, which decides what it can read.
pglast_version=7.21
cargo_deny=$static/bin/cargo-deny
cargo_deny_version=0.20.2

# What pgspot reports wrongly or cannot read, as options for it, each with the reason.
# maintain commits, which no routine may that sets its search_path; it is its caller's, and qualifies every name.
# Beside that, 0.9.4 stops at BEGIN ATOMIC (and then exits with 1 while it prints no error), so no function has one.
reviewed=('--proc-without-search-path=timedb.maintain(budget interval,older_than interval)')
# Of an update alone: it makes functions, and a view, by CREATE OR REPLACE, in a schema that it has not made itself. Within an
# extension's script Postgres replaces members of the extension and nothing else, so none that lies ready is adopted.
reviewed_in_updates=(--ignore PS002 --ignore PS015)

install_pgspot() {
    python3 -m venv "$static"
    "$static/bin/pip" install --quiet --disable-pip-version-check \
        "pgspot==$pgspot_version" "pglast==$pglast_version"
}

# pgspot's own status is 0 with warnings too; its last words count them.
is_clean() {
    local said
    said=$("$pgspot" "${reviewed[@]}" "$@") || return
    [[ $said == *"Errors: 0 Warnings: 0 Unknown: 0"* ]]
}

# A gate that lets everything through looks just like a gate with nothing to hold back.
check_pgspot_finds() {
    local planted=$static/planted.sql
    { cat "$1" && echo "$2"; } >"$planted"
    ! is_clean "$planted" || fail "pgspot does not see: $2"
}

# legible SCRIPT: without what pgspot cannot read: functions of PL/Proxy's, which hold no SQL of this database, and bodies of
# BEGIN ATOMIC, whose names are resolved when they are created.
legible() {
    local legible
    legible=$static/legible-$(basename "$1")
    perl -0pe 's/CREATE FUNCTION [^;]*? LANGUAGE plproxy AS \$\$.*?\$\$;\n//sg;
               s/CREATE FUNCTION [^;]*?\nBEGIN ATOMIC\n.*?\nEND;\n//sg' "$1" >"$legible"
    echo "$legible"
}

check_sql() {
    local script scripts update options read
    mapfile -t scripts < <("$target/debug/private-server" script "$static")
    script=${scripts[0]}
    check_pgspot_finds "$script" "CREATE FUNCTION timedb.planted() RETURNS int SECURITY DEFINER
        LANGUAGE sql AS 'SELECT count(*)::int FROM users';"
    check_pgspot_finds "$script" "RESET search_path; SELECT now() > now();"
    check_pgspot_finds "$script" "CREATE SCHEMA IF NOT EXISTS planted;"
    # Not the scripts in sql/released/: each was clean when it was what this checks, and changes no more.
    for update in "${scripts[@]}" sql/timedb--*--*.sql; do
        [ -e "$update" ] || continue
        options=()
        [[ $update != sql/* ]] || options=("${reviewed_in_updates[@]}")
        read=$(legible "$update")
        is_clean "${options[@]}" "$read" || {
            "$pgspot" "${reviewed[@]}" "${options[@]}" "$read" || true
            fail "pgspot has findings in $update: put them right, or say in scripts/static.sh why they are wrong."
        }
        echo "pgspot: $(basename "$update") is clean"
    done
}

# Not optimised: it compiles in less than half the time, and reads the crates in two seconds all the same.
install_cargo_deny() {
    CARGO_TARGET_DIR=$static/build CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install cargo-deny --version "$cargo_deny_version" --locked --debug --root "$static"
    rm -rf "$static/build"
}

deny() {
    "$cargo_deny" --workspace --frozen --config "$1" check "${@:2}"
}

# check_deny_finds CHECK EDIT: with the configuration changed by EDIT, CHECK has something to refuse.
check_deny_finds() {
    local planted=$static/planted.toml said
    sed "$2" deny.toml >"$planted"
    ! said=$(deny "$planted" "$1" 2>&1) && [[ $said == *"$1 FAILED"* ]] ||
        fail "cargo-deny checks no $1: it accepts deny.toml after sed '$2'"
}

# Where each crate comes from and under which licence, as deny.toml says. Not the advisories, here or by cargo audit:
# both read the RustSec database from its repository, which cannot be reached where only package registries are.
check_crates() {
    # Those of other platforms, too; from here on nothing is fetched.
    cargo fetch --quiet --locked
    check_deny_finds licenses '/"MIT",/d'
    check_deny_finds sources '/^allow-registry/s/\[.*/[]/'
    check_deny_finds bans '/^allow-wildcard-paths/d'
    deny deny.toml licenses sources bans
}

[ -x "$pgspot" ] && [ "$("$pgspot" --version)" = "pgspot $pgspot_version" ] || install_pgspot
[ -x "$cargo_deny" ] && [ "$("$cargo_deny" --version)" = "cargo-deny $cargo_deny_version" ] || install_cargo_deny
check_sql
check_crates
