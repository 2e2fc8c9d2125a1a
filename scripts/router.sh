#!/usr/bin/env bash
# router.sh: writes the pages of router/ that are generated from timedb's own functions; `router.sh FOLDER` into another folder. After
# a change of sql/, or of router/generate.sql.
. "$(dirname "$0")/environment.sh"
choose_postgres

folder=$(realpath -m "${1:-router}")
if [ -z "${TIMEDB_SERVER_DIR:-}" ]; then
    exec "$target/debug/private-server" run -- "$0" "$folder"
fi

pages=(router operator shard comments)
# generate PAGE FILE
generate() {
    local page flags=()
    for page in "${pages[@]}"; do
        flags+=(-v "is_$page=$([ "$page" = "$1" ] && echo 1 || echo 0)")
    done
    mkdir -p "$(dirname "$folder/$2")"
    psql -X -q -v ON_ERROR_STOP=1 "${flags[@]}" -f router/generate.sql >"$folder/$2.new"
    mv "$folder/$2.new" "$folder/$2"
}

generate router sql/04_functions.sql
generate operator sql/05_on_one_server.sql
generate comments sql/08_comments.sql
generate shard shard/02_functions.sql
