#!/usr/bin/env bash
# setup.sh [build|tests [--packages]]: installs what a build, or also the tests, need and the machine lacks; says and does
# nothing if there is nothing to do. --packages asks for no Rust, which is another user's than root's where there is no sudo.
# Never upgrades a server, never creates, starts or stops a cluster of the system.
. "$(dirname "$0")/environment.sh"
. scripts/packages.sh

purpose=${1:-build}
packages_only=${2:-}

check_cargo() {
    command -v cargo >/dev/null || fail "cargo is missing. Install Rust by rustup, as you (not by sudo):

    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
    . \"\$HOME/.cargo/env\"

then try again. (No curl: apt-get install curl, or see https://rustup.rs)"
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(cargo --version | awk '{print $2}')
    [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n1)" = "$wanted" ] ||
        fail "timedb needs Rust $wanted, this is $found. Run: rustup update stable"
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || is_installed libclang-dev ||
        compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null
}

missing_tools() {
    { command -v cc && command -v make && command -v nm && [ -e /usr/include/stdio.h ]; } >/dev/null ||
        echo build-essential
    has_libclang || echo libclang-dev
}

# What tests/gateways and scripts/static.sh run beside what they fetch themselves.
missing_test_tools() {
    command -v curl >/dev/null || echo curl
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# A later version than the oldest, where it is named by $PG, need not be installed.
lacks_postgres() {
    [ -z "${PG_CONFIG:-}" ] && [ "${PG:-$oldest_postgres}" = "$oldest_postgres" ] && [ -z "$(installed_postgres)" ]
}

# Debian makes and starts a cluster when it installs a server, unless this file says no.
no_cluster=/etc/postgresql-common/createcluster.d/timedb-setup.conf

forbid_cluster() {
    trap 'as_root rm -f "$no_cluster"' EXIT
    as_root mkdir -p "$(dirname "$no_cluster")"
    echo "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
}

install_from_distribution() {
    local tools postgres
    tools=$(
        missing_tools
        [ "$purpose" != tests ] || missing_test_tools
    )
    if [ -n "$tools" ] || lacks_postgres; then
        apt_get update
    fi
    if lacks_postgres; then
        postgres=$(missing_postgres)
        forbid_cluster
        install_missing "$postgres"
    fi
    if [ -n "$tools" ]; then
        install_missing "$tools"
    fi
}

check_pg_config() {
    choose_postgres
    [ "$postgres_major" -ge "$oldest_postgres" ] && [ "$postgres_major" -le "$newest_postgres" ] ||
        fail "timedb is for Postgres $oldest_postgres to $newest_postgres; $PG_CONFIG is of $postgres_major."
    [ -x "$("$PG_CONFIG" --bindir)/postgres" ] ||
        fail "$PG_CONFIG has no server beside it (package postgresql-$postgres_major?)."
    [ -f "$("$PG_CONFIG" --includedir-server)/postgres.h" ] ||
        fail "$PG_CONFIG has no server headers (package postgresql-server-dev-$postgres_major?)."
}

[ "$packages_only" = --packages ] || check_cargo
if command -v apt-get >/dev/null; then
    install_from_distribution
fi
check_pg_config
