#!/usr/bin/env bash
# released.sh VERSION: the library of a release, built from its tag for the Postgres chosen, below target/released/; says where.
# With --find: whether it can be built here. For the tests that update a server while it is used. Built once for each version of Postgres: about 2 minutes on two cores.
. "$(dirname "$0")/environment.sh"
choose_postgres

version=${1:?which release}
folder=$target/released
source=$folder/$version
library=$folder/libtimedb-$version-pg$postgres_major.so

# Which commit that was: in a clone with its history, but without its tags, it is there all the same.
declare -A commits=([0.1.0]=1bd99977a676431a815ae4bc26b778ee00490b88)

# The commit, if it is here or can be fetched.
find_release() {
    local name
    for name in "refs/tags/v$version" "${commits[$version]:-}"; do
        [ -n "$name" ] && git rev-parse --quiet --verify "$name^{commit}" 2>/dev/null && return
    done
    git fetch --quiet --depth 1 origin "refs/tags/v$version:refs/tags/v$version" 2>/dev/null &&
        git rev-parse --quiet --verify "refs/tags/v$version^{commit}"
}

if [ "${2:-}" = --find ]; then
    [ -e "$library" ] || find_release >/dev/null
    exit
fi

if [ ! -e "$library" ]; then
    commit=$(find_release) ||
        fail "The release $version is not in this clone, to build its library from: git fetch --unshallow --tags"
    echo "First build of the library of $version for Postgres $postgres_major: about 2 minutes on two cores." >&2
    rm -rf "$source"
    mkdir -p "$source"
    git archive "$commit" | tar --extract --directory "$source"
    # Its own target folder: two libraries of one name would take each other's place.
    (cd "$source" && CARGO_TARGET_DIR=$folder/build cargo build --locked --lib -p timedb "${features[@]}" >&2)
    cp "$folder/build/debug/libtimedb.so" "$library.new"
    mv "$library.new" "$library"
fi
echo "$library"
