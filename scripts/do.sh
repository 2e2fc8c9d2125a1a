#!/usr/bin/env bash
# do.sh TARGET: what `make TARGET` does. make calls it, and a machine that has no make yet has it all the same: whatever
# is missing, make too, is installed first.
. "$(dirname "$0")/environment.sh"

build() {
    scripts/setup.sh
    scripts/build.sh "$1"
}

build_command() {
    cargo build --release -p timedb-cli
}

case ${1:-} in
demo)
    build release
    scripts/private-server.sh run --fsync -- "$target/release/walkthrough"
    ;;
serve)
    build release
    build_command
    scripts/http.sh stop
    scripts/private-server.sh serve
    ;;
http)
    build release
    build_command
    scripts/http.sh stop
    scripts/private-server.sh serve
    scripts/http.sh start
    ;;
stop)
    scripts/http.sh stop
    scripts/private-server.sh stop
    ;;
psql)
    scripts/private-server.sh psql
    ;;
cli)
    scripts/setup.sh
    build_command
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
    scripts/http.sh stop
    scripts/private-server.sh stop
    cargo clean
    ;;
*)
    fail "do.sh demo|serve|http|psql|stop|cli|install|test|bench|lint|static|site|deb|debug|release|setup|clean"
    ;;
esac
