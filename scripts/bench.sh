#!/usr/bin/env bash
# bench.sh [W4,W5]: timedb measured against its peers, all of it or the workloads named. It first installs what is
# missing: the distribution's packages that the tests need too, python3-venv among them, and into the target folder what
# bench/python/*.txt name. Peers that cannot be had are left out, each with a line. `bench.sh scale` measures
# nothing: it simulates many servers, and writes bench/scale.md.
. "$(dirname "$0")/environment.sh"

workloads=${1:-}

# A simulation needs neither a server nor peers.
if [ "$workloads" = scale ]; then
    scripts/setup.sh
    cargo build --release -p timedb-bench
    exec "$target/release/timedb-bench" scale
fi

scripts/setup.sh tests
choose_postgres

python=$target/bench/python
tshistory=$target/bench/tshistory

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

# install_python FOLDER REQUIREMENTS MODULES: an environment of its own in the folder, once for each text of the requirements.
install_python() {
    cmp --silent "$2" "$1/installed" && return
    echo "Installing what $2 names for Python, up to 1.2 GB, in the target folder." >&2
    rm -rf "$1"
    python3 -m venv "$1" &&
        "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2" &&
        "$1/bin/python" -c "import $3" &&
        cp "$2" "$1/installed"
}

if install_python "$python" bench/python/requirements.txt 'adbc_driver_postgresql, chdb, polars, psycopg, pyarrow'; then
    export TIMEDB_BENCH_PYTHON=$python/bin/python
else
    echo "Not installed: what needs Python is left out." >&2
fi
# It wants a numpy and a pandas of its own.
if install_python "$tshistory" bench/python/tshistory.txt 'psycopg2, tshistory'; then
    export TIMEDB_BENCH_TSHISTORY=$tshistory/bin/python
else
    echo "Not installed: tshistory is left out." >&2
fi

# W24 has a router.
scripts/plproxy.sh || echo "No PL/Proxy to be had: what goes through a router is left out." >&2

scripts/build.sh release
# W23 has `timedb api`.
cargo build --release -p timedb-bench -p timedb-cli

options=(--fsync)
for setting in "${settings[@]}"; do
    options+=(--setting "$setting")
done
exec "$target/release/private-server" run "${options[@]}" -- "$target/release/timedb-bench" "$workloads"
