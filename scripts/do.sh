#!/usr/bin/env bash
# do.sh TARGET: what `make TARGET` does. make calls it, and a machine that has no make yet has it all the same: whatever
# is missing, make too, is installed first.
. "$(dirname "$0")/environment.sh"

build() {
    scripts/setup.sh
    scripts/build.sh "$1"
}

case ${1:-} in
demo)
    build release
    scripts/private-server.sh run --fsync -- "$target/release/walkthrough"
    ;;
serve)
    build release
    scripts/private-server.sh serve
    ;;
stop | psql)
    scripts/private-server.sh "$1"
    ;;
cli)
    scripts/setup.sh
    cargo build --release -p timedb-cli
    echo "$target/release/timedb"
    ;;
install)
    build release
    scripts/install.sh
    ;;
test)
    scripts/setup.sh tests
    scripts/build.sh debug
    scripts/test.sh
    ;;
test-all)
    scripts/test-all.sh
    ;;
bench)
    scripts/bench.sh "${2:-}"
    ;;
lint)
    scripts/setup.sh
    scripts/lint.sh
    ;;
static)
    scripts/setup.sh tests
    scripts/build.sh debug
    scripts/static.sh
    scripts/site.sh
    ;;
site)
    scripts/setup.sh
    scripts/site.sh
    ;;
deb)
    scripts/setup.sh
    scripts/deb.sh
    ls "$target"/deb/*.deb
    ;;
debug | release)
    build "$1"
    ;;
setup)
    scripts/setup.sh
    ;;
clean)
    scripts/private-server.sh stop
    cargo clean
    ;;
*)
    fail "do.sh demo|serve|psql|stop|cli|install|test|bench|lint|static|site|deb|debug|release|setup|clean"
    ;;
esac
