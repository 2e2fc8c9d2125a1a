# Sourced by the other scripts: where the project is, which cargo, which Postgres.
# shellcheck shell=bash
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$project"
export TIMEDB_PROJECT=$project

# An absolute path, because some of the tools below change their working directory.
target=$(realpath -m "${CARGO_TARGET_DIR:-$project/target}")
export CARGO_TARGET_DIR=$target

# A backtrace in the server's environment would end up in the details of clients' errors.
unset RUST_BACKTRACE RUST_LIB_BACKTRACE

# rustup adds this to the PATH of the next login only.
command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin

oldest_postgres=15
newest_postgres=18

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

has_server_and_headers() {
    [ -x "/usr/lib/postgresql/$1/bin/postgres" ] &&
        [ -f "/usr/include/postgresql/$1/server/postgres.h" ]
}

# The version tested most, else the newest, of those already installed; nothing if there is none.
installed_postgres() {
    local major
    for major in "$oldest_postgres" $(seq "$newest_postgres" -1 $((oldest_postgres + 1))); do
        if has_server_and_headers "$major"; then
            echo "$major"
            return
        fi
    done
}

# Sets what a build needs to know. $PG_CONFIG, if given, decides; else $PG, a version: where it is not installed, one is
# fetched for tests.
choose_postgres() {
    local major
    if [ -z "${PG_CONFIG:-}" ] && [ -n "${PG:-}" ] && ! has_server_and_headers "$PG"; then
        PG_CONFIG=$(scripts/servers.sh "$PG")
    fi
    if [ -z "${PG_CONFIG:-}" ]; then
        major=${PG:-$(installed_postgres)}
        [ -n "$major" ] || fail "no Postgres server with headers found: run scripts/setup.sh"
        PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
    fi
    postgres_major=$("$PG_CONFIG" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
    # pgrx builds its bindings anew whenever this value changes, so it is always the same path.
    PG_CONFIG=$(realpath "$(command -v "$PG_CONFIG")")
    export PG_CONFIG PGRX_PG_CONFIG_PATH=$PG_CONFIG
    features=(--no-default-features --features "pg$postgres_major")
}
