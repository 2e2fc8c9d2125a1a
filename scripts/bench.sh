#!/usr/bin/env bash
# bench.sh [W4,W5]: timedb measured against its peers, all of it or the workloads named. It first installs what is
# missing: the distribution's packages that the tests need too, python3-venv among them, and into the target folder what
# bench/python/requirements.txt names. Peers that cannot be had are left out, each with a line.
. "$(dirname "$0")/environment.sh"

scripts/setup.sh tests
choose_postgres

workloads=${1:-}
python=$target/bench/python

# For a machine of 24 GB; the same for every peer. Postgres compiles queries just in time by default; with it on, the
# peers' reads took longer.
settings=(
    "shared_buffers = 4GB" "effective_cache_size = 16GB" "work_mem = 256MB" "maintenance_work_mem = 1GB"
    "max_wal_size = 16GB" "checkpoint_timeout = 30min" "random_page_cost = 1.1"
    "jit = off"
)

# Postgres loads TimescaleDB at its start or never.
if [ -e "$("$PG_CONFIG" --sharedir)/extension/timescaledb.control" ]; then
    settings+=("shared_preload_libraries = 'timescaledb'")
fi

install_python() {
    rm -rf "$python"
    python3 -m venv "$python" &&
        "$python/bin/pip" install --quiet --disable-pip-version-check --requirement bench/python/requirements.txt &&
        "$python/bin/python" -c 'import chdb, polars, psycopg, pyarrow' &&
        cp bench/python/requirements.txt "$python/installed"
}

if ! cmp --silent bench/python/requirements.txt "$python/installed"; then
    echo "Installing ClickHouse (chdb), polars and psycopg for Python: 1.1 GB, in the target folder." >&2
    install_python || echo "Not installed: what needs Python is left out." >&2
fi
if [ -e "$python/installed" ]; then
    export TIMEDB_BENCH_PYTHON=$python/bin/python
fi

scripts/build.sh release
cargo build --release -p timedb-bench

options=(--fsync)
for setting in "${settings[@]}"; do
    options+=(--setting "$setting")
done
exec "$target/release/private-server" run "${options[@]}" -- "$target/release/timedb-bench" "$workloads"
