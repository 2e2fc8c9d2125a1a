#!/usr/bin/env bash
# released.sh VERSION: the library of a release, built from its tag for the Postgres chosen, below target/released/; says where.
# For the tests that update a server while it is used. Built once for each version of Postgres: about 2 minutes on two cores.
. "$(dirname "$0")/environment.sh"
choose_postgres

version=${1:?which release}
folder=$target/released
source=$folder/$version
library=$folder/libtimedb-$version-pg$postgres_major.so

# A clone without history has no tags.
has_tag() {
    git rev-parse --quiet --verify "refs/tags/v$version^{commit}" >/dev/null
}

if [ "$version" = 0.1.0 ] && [ "$postgres_major" -gt 17 ]; then
    fail "0.1.0 does not compile for Postgres $postgres_major: none of its databases is there."
fi
if [ ! -e "$library" ]; then
    has_tag || git fetch --quiet --depth 1 origin "refs/tags/v$version:refs/tags/v$version" || true
    has_tag || fail "There is no tag v$version here to build the library of that release from: git fetch --tags"
    echo "First build of the library of $version for Postgres $postgres_major: about 2 minutes on two cores." >&2
    rm -rf "$source"
    mkdir -p "$source"
    git archive "v$version" | tar --extract --directory "$source"
    # Its own target folder: two libraries of one name would take each other's place.
    (cd "$source" && CARGO_TARGET_DIR=$folder/build cargo build --locked --lib -p timedb "${features[@]}" >&2)
    cp "$folder/build/debug/libtimedb.so" "$library.new"
    mv "$library.new" "$library"
fi
echo "$library"
