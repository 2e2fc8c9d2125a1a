#!/usr/bin/env bash
# The private server of the demo and of `make serve`, from the release build.
. "$(dirname "$0")/environment.sh"

program=$target/release/private-server
case ${1:-} in
stop | psql)
    [ -x "$program" ] || { echo "no server was running"; exit 0; }
    ;;
*)
    choose_postgres
    ;;
esac
exec "$program" "$@"
