#!/usr/bin/env bash
# http.sh start|stop: the HTTP server of `make http`, in front of the server of `make serve`. Only on loopback; both live
# until `make stop`.
. "$(dirname "$0")/environment.sh"

state=${TIMEDB_SERVE:-$target/serve}
command=${TIMEDB_COMMAND:-$target/release/timedb}
pid_file=$state/http.pid
log=$state/http.log

# Whether it runs, and is ours: a number may be another process's by now.
runs() {
    local pid program
    pid=$(cat "$pid_file" 2>/dev/null) && program=$(readlink "/proc/$pid/exe") || return 1
    # A program that was built anew meanwhile is told as deleted.
    [ "${program% (deleted)}" = "$(realpath -m "$command")" ]
}

stop() {
    local pid
    if runs; then
        pid=$(cat "$pid_file")
        kill "$pid"
        while runs && ! grep -qs '^State:.*zombie' "/proc/$pid/status"; do sleep 0.1; done
        echo "stopped the HTTP server"
    fi
    rm -f "$pid_file"
}

ask() {
    "$socket/bin/psql" -XqAt -h "$socket" -p 5432 -U postgres -d timedb -v ON_ERROR_STOP=1 -c "$1"
}

# On the port, where nobody else is; says where it listens.
launch() {
    setsid "$command" api --port "$1" --dsn "postgresql:///timedb?host=$socket&user=timedb_web" \
        </dev/null >"$log" 2>&1 &
    echo $! >"$pid_file"
    until address=$(sed -n 's|.*listening on ||p' "$log") && [ -n "$address" ]; do
        kill -0 $! 2>/dev/null || return 1
        sleep 0.1
    done
}

start() {
    socket=$(cat "$state/folder")
    ask "DO \$\$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'timedb_web') THEN
             CREATE ROLE timedb_web LOGIN IN ROLE timedb_caller;
           END IF;
         END \$\$"
    launch "${PORT:-8000}" || launch 0 || fail "$(cat "$log")"
    key=$(ask "SELECT api_key FROM timedb.create_user(gen_random_uuid(), 'alice@example.com')")
    cat <<EOF_LINES

$address/docs shows what there is. As Alice of a new tenant:

KEY=$key
curl -s $address/upload -H "X-API-Key: \$KEY" -H 'Content-Type: application/json' -d '{"run_start_time": "2025-01-01T06:00:00Z", "value_rows": [{"value_key": "wind", "valid_time": "2025-01-02T00:00:00Z", "value": 12.5}]}'
curl -s "$address/values?start_valid=2025-01-02T00:00:00Z" -H "X-API-Key: \$KEY"
curl -s "$address/rpc/latest?series_keys=%7Bwind%7D" -H "X-API-Key: \$KEY"

make stop ends it.
EOF_LINES
}

case ${1:-} in
start)
    stop
    start
    ;;
stop)
    stop
    ;;
*)
    fail "http.sh start|stop"
    ;;
esac
