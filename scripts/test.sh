#!/usr/bin/env bash
# Every test layer, one after the other, each with its runner's own words; then a table. A layer that
# fails does not keep the next from running. `test.sh LAYER…` runs only those.
. "$(dirname "$0")/environment.sh"
choose_postgres

server=$target/debug/private-server
library_with_tests=$target/test/libtimedb-in-backend.so
logs=$target/test/logs
counts=$target/test/counts.tsv
mkdir -p "$logs"
: >"$counts"

# Tests that meet a server over the wire are programs like any client, the same for every version: built once, with what the
# oldest one needs where that is installed.
tests=(cargo test -p timedb "${features[@]}" --test)
if [ "$postgres_major" != "$oldest_postgres" ] && has_server_and_headers "$oldest_postgres"; then
    tests=(env "PGRX_PG_CONFIG_PATH=/usr/lib/postgresql/$oldest_postgres/bin/pg_config"
        cargo test -p timedb --no-default-features --features "pg$oldest_postgres" --test)
fi

# The command's, which need no Postgres to compile.
cli_tests=(cargo test -p timedb-cli --test cli)

# Tests that look at plans and statements by modules of contrib, which not every server that is fetched for tests brings along.
without_contrib=()
if ! [ -e "$("$PG_CONFIG" --pkglibdir)/auto_explain.so" ]; then
    without_contrib=(--skip plans:: --skip t32_with_bound_parameters_a_server_that_logs_everything_logs_no_key)
fi
tell_left_out() {
    [ ${#without_contrib[@]} = 0 ] ||
        echo "Left out: plans:: and what reads pg_stat_statements, as this $("$PG_CONFIG" --version) has no contrib"
}

# Everything that links no Postgres. The same packages in every call: another set may need other
# features of the crates they share, and so a second build of them.
pure=(-p timedb-core -p timedb-testkit -p timedb-examples -p timedb-fuzz -p timedb-bench)

layer_pure() {
    cargo test --no-fail-fast "${pure[@]}"
}

# The library with tests in it is copied aside, so that the one that is tested otherwise, and ships,
# is the one without.
layer_in_backend() {
    scripts/build.sh debug in_backend_tests || return
    cp "$target/debug/libtimedb.so" "$library_with_tests"
    scripts/build.sh debug || return
    "$server" run --library "$library_with_tests" -- cargo test "${pure[@]}" --test in_backend
}

layer_contract() {
    "$server" run -- scripts/regress.sh contract
}

layer_interleaving() {
    "$server" run -- scripts/regress.sh interleaving
}

# All of it twice, where read is a node of a plan and where it is the function; the random attacker mixes both.
layer_attacks() {
    local status=0
    tell_left_out
    "$server" run -- "${tests[@]}" attacks -- "${without_contrib[@]}" || status=$?
    "$server" run --setting 'timedb.enable_scan = off' -- \
        "${tests[@]}" attacks -- --skip random:: "${without_contrib[@]}" || status=$?
    return "$status"
}

layer_gateways() {
    scripts/gateways.sh || return
    # The command that a notebook types.
    cargo build -p timedb-cli || return
    "$server" run -- "${tests[@]}" gateways
}

# Against the library that a release was shipped with, under a server that is used.
layer_upgrade() {
    local library
    library=$(scripts/released.sh 0.1.0) || return
    TIMEDB_RELEASED=$library "$server" run -- "${tests[@]}" upgrade
}

# On servers of its own, which it kills.
layer_faults() {
    "${tests[@]}" faults -- --nocapture
}

layer_client() {
    tell_left_out
    "$server" run -- "${tests[@]}" client -- "${without_contrib[@]}"
}

# The command, typed at the server as ordinary roles.
layer_cli() {
    "$server" run -- cargo test -p timedb-cli
}

# Three servers and a router in front of them.
layer_router() {
    scripts/plproxy.sh || return
    local status=0
    "$server" run --in-memory --shards 3 -- "${tests[@]}" router || status=$?
    "$server" run --in-memory --shards 3 -- "${cli_tests[@]}" -- --ignored move_tenant:: routed:: || status=$?
    return "$status"
}

# Prints a layer's tests that run through a router, of these modules or of all: without those that tests/router/not_applicable.tsv
# lists of it, by a name or by a module and "::".
routed_tests() {
    local layer=$1 list=("${tests[@]}" "$1")
    [ "$layer" != cli ] || list=("${cli_tests[@]}")
    shift
    "${list[@]}" -- --list --format terse "$@" 2>/dev/null | sed -n 's/: test$//p' |
        awk -F'\t' -v layer="$layer" '
            NR == FNR { if ($1 == layer) listed[$2]; next }
            { for (one in listed) if ($0 == one || one ~ /::$/ && index($0, one) == 1) next; print }
        ' tests/router/not_applicable.tsv -
}

# What clients of every kind see through a router is what one server shows: the layers client and attacks, what PostgREST and a server
# like it ask (which scripts/gateways.sh fetches), and the command with its HTTP server. A database for each test on four servers: their
# data lie in memory.
layer_routed() {
    local layer modules names status=0
    scripts/plproxy.sh || return
    for layer in client attacks gateways cli; do
        modules=()
        [ "$layer" != gateways ] || modules=(contract:: http::)
        [ "$layer" != cli ] || modules=(api:: check:: read:: stats:: upkeep:: upload:: users::)
        names=$(routed_tests "$layer" "${modules[@]}") || return
        mapfile -t names <<<"$names"
        echo "$layer: ${#names[@]} tests through a router"
        if [ "$layer" = cli ]; then
            "$server" run --in-memory --shards 3 -- "${cli_tests[@]}" -- --exact "${names[@]}" || status=$?
        else
            "$server" run --in-memory --shards 3 -- "${tests[@]}" "$layer" -- --exact "${names[@]}" || status=$?
        fi
    done
    return "$status"
}

# From the oldest version to this one, on servers of its own.
layer_versions() {
    local programs=/usr/lib/postgresql/$oldest_postgres/bin library left_out=()
    # What some minor releases note of each column, no pg_upgrade knows that was released before them.
    if grep -q pg_attver "$programs/postgres" && ! grep -q pg_attver "$("$PG_CONFIG" --bindir)/postgres"; then
        echo "Left out: pg_upgrade, as this $("$PG_CONFIG" --version) was released before $("$programs/pg_config" --version)"
        left_out=(--skip pg_upgrade)
    fi
    library=$(scripts/library.sh "$oldest_postgres") || return
    TIMEDB_OLDER_PG_CONFIG=$programs/pg_config TIMEDB_OLDER_LIBRARY=$library \
        "${tests[@]}" client -- --ignored versions:: "${left_out[@]}"
}

# What dpkg does with the packages of this checkout, and with one of the release where its library can be built.
layer_packages() {
    local library=
    scripts/deb.sh debug >/dev/null || return
    [ "$postgres_major" -ge 18 ] || ! scripts/released.sh 0.1.0 --find || library=$(scripts/released.sh 0.1.0) || return
    env ${library:+TIMEDB_RELEASED="$library"} TIMEDB_DEB="$target/deb" \
        "${tests[@]}" packages -- --nocapture
}

# Reads what the runners say of themselves: cargo's (and libtest-mimic's) "test result: …" and
# pg_regress's "All 3 tests passed." or "1 of 3 tests failed.", with "# " before it from 16 on.
count() {
    awk '
        /^test result:/ { passed += $4; failed += $6 }
        match($0, /All [0-9]+ tests passed/) { passed += substr($0, RSTART + 4) }
        match($0, /[0-9]+ of [0-9]+ tests failed/) {
            split(substr($0, RSTART), word, " ")
            failed += word[1]; passed += word[3] - word[1]
        }
        END { print passed + 0, failed + 0 }' "$1"
}

run_layer() {
    local layer=$1 log=$logs/$1.log status=0 passed failed
    printf '\n== %s\n' "$layer"
    "layer_${layer//-/_}" </dev/null 2>&1 | tee "$log" || status=$?
    read -r passed failed < <(count "$log")
    # A layer that broke off, or ran nothing, must not look green.
    if [ "$failed" = 0 ] && { [ "$status" != 0 ] || [ "$passed" = 0 ]; }; then
        failed=1
    fi
    printf '%s\t%s\t%s\n' "$layer" "$passed" "$failed" >>"$counts"
}

layers=("$@")
if [ $# = 0 ]; then
    layers=(pure in-backend contract interleaving client attacks gateways cli faults)
    # Debian has PL/Proxy for its own server alone.
    if scripts/plproxy.sh --find; then
        layers+=(router)
    else
        echo "Left out: router, as there is no PL/Proxy for Postgres $postgres_major to be had"
    fi
    # Packages are for the distribution's own server.
    if has_server_and_headers "$postgres_major" && command -v dpkg-shlibdeps >/dev/null; then
        layers+=(packages)
    else
        echo "Left out: packages, as Postgres $postgres_major is none of Debian's"
    fi
    if [ "$postgres_major" = "$oldest_postgres" ]; then
        :
    elif has_server_and_headers "$oldest_postgres"; then
        layers+=(versions)
    else
        echo "Left out: versions, as Postgres $oldest_postgres is not installed, to come from"
    fi
    # No release was for 18 yet: 0.1.0 does not compile for it.
    if [ "$postgres_major" -ge 18 ]; then
        :
    elif scripts/released.sh 0.1.0 --find; then
        layers+=(upgrade)
    else
        echo "Left out: upgrade, as the release that is updated is not in this clone: git fetch --unshallow --tags"
    fi
fi
for layer in "${layers[@]}"; do
    run_layer "$layer"
done

echo
awk -F'\t' '
    BEGIN { printf "%-14s %7s %7s\n", "layer", "passed", "failed" }
    { printf "%-14s %7d %7d\n", $1, $2, $3; passed += $2; failed += $3 }
    END { printf "%-14s %7d %7d\n", "all", passed, failed; exit failed > 0 }' "$counts"
