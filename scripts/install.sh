#!/usr/bin/env bash
# Installs the release build into the Postgres that PG_CONFIG names.
. "$(dirname "$0")/environment.sh"
choose_postgres

libraries=$("$PG_CONFIG" --pkglibdir)
extensions=$("$PG_CONFIG" --sharedir)/extension
mapfile -t scripts < <("$target/release/private-server" script "$target")

as_owner() {
    if [ -w "$libraries" ] && [ -w "$extensions" ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "$libraries is not writable and there is no sudo: run make install as root."
    fi
}

# By rename, because a running server may have mapped the file that is there now.
put() {
    local mode=$1 from=$2 to=$3
    as_owner install -m "$mode" "$from" "$to.new"
    as_owner mv -f "$to.new" "$to"
    echo "installed $to"
}

put 755 "$target/release/libtimedb.so" "$libraries/timedb.so"
for script in "${scripts[@]}"; do
    put 644 "$script" "$extensions/$(basename "$script")"
done
for step in sql/timedb--*--*.sql; do
    [ ! -e "$step" ] || put 644 "$step" "$extensions/$(basename "$step")"
done
for control in timedb.control router/*.control; do
    put 644 "$control" "$extensions/$(basename "$control")"
done
echo "Now, in a database, as a superuser: CREATE EXTENSION timedb;"
