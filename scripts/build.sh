#!/usr/bin/env bash
# build.sh debug|release [FEATURE]: the extension and the programs of demo, serve and tests.
. "$(dirname "$0")/environment.sh"
choose_postgres

profile=${1:?debug or release}
if [ "$profile" = release ]; then
    packages=(-p timedb -p timedb-testkit -p timedb-examples)
    options=(--release)
    minutes="about 4 minutes"
else
    packages=(-p timedb -p timedb-testkit)
    options=()
    minutes="about 2 minutes"
fi

[ $# = 1 ] || features+=(--features "$2")

if [ ! -e "$target/$profile/private-server" ]; then
    echo "First $profile build for Postgres $postgres_major: $minutes on two cores; later ones take seconds." >&2
fi
cargo build "${options[@]}" "${packages[@]}" "${features[@]}"

# For tests of two versions at once, which scripts/library.sh brings together.
if [ "$profile" = debug ] && [ $# = 1 ]; then
    kept=$target/libraries/libtimedb-pg$postgres_major.so
    mkdir -p "$target/libraries"
    cp "$target/debug/libtimedb.so" "$kept.new"
    mv "$kept.new" "$kept"
fi
