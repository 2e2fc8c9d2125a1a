#!/usr/bin/env bash
# library.sh MAJOR: for tests that need servers of two versions at once, timedb's library for that version of Postgres; says where it is.
# scripts/build.sh has left it below target/libraries/, or it is built now: about a minute on two cores.
. "$(dirname "$0")/environment.sh"

major=${1:?which version of Postgres}
library=$target/libraries/libtimedb-pg$major.so

is_of_these_sources() {
    [ -e "$library" ] && [ -z "$(find src core/src Cargo.lock {.,core}/Cargo.toml -newer "$library" -print -quit)" ]
}

if ! is_of_these_sources; then
    (unset PG_CONFIG && PG=$major scripts/build.sh debug >&2)
    # The other one is in its place by now.
    scripts/build.sh debug >&2
fi
echo "$library"
