#!/usr/bin/env bash
# regress.sh contract|interleaving: SQL in, text out, compared with what is expected. Runs within
# `private-server run`; the results and the differences are left in target/test/.
. "$(dirname "$0")/environment.sh"

layer=${1:?contract or interleaving}
pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
case $layer in
contract)
    program=$pgxs/regress/pg_regress
    input=tests/pg_regress
    topics=("$input"/sql/*.sql)
    ;;
interleaving)
    program=$pgxs/isolation/pg_isolation_regress
    input=tests/isolation
    topics=("$input"/specs/*.spec)
    ;;
esac
[ -x "$program" ] || fail "$program is missing: it comes with the server's development package."
[ -e "${topics[0]}" ] || fail "$input has no tests."

output=$target/test/$layer
rm -rf "$output"
mkdir -p "$output"
# pg_regress gives up where an expected file is missing; in a copy, an empty one stands for it.
cp -r "$input" "$output/input"
mkdir -p "$output/input/expected"

names=()
for topic in "${topics[@]}"; do
    topic=${topic##*/}
    names+=("${topic%.*}")
    touch -a "$output/input/expected/${topic%.*}.out"
done

status=0
# pg_regress gives psql a time zone and a date style of its own; ISO and UTC read better.
"$program" --launcher="env PGTZ=UTC PGDATESTYLE=ISO" --use-existing \
    --dbname="$PGDATABASE" --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" \
    --bindir="$TIMEDB_SERVER_DIR/bin" --inputdir="$output/input" --outputdir="$output" \
    "${names[@]}" || status=$?

# psql says nothing where it stops in the middle: some of its versions do at a COPY FROM STDIN that is refused.
if [ "$layer" = contract ]; then
    for name in "${names[@]}"; do
        last=$(grep -v '^[[:space:]]*$' "$input/sql/$name.sql" | tail -n1)
        grep -qF -- "$last" "$output/results/$name.out" || {
            echo "not ok: $name stopped before its end, which is: $last"
            status=1
        }
    done
fi

if [ -s "$output/regression.diffs" ]; then
    cat "$output/regression.diffs"
    echo "If a result is right: cp $output/results/TOPIC.out $input/expected/"
fi
exit "$status"
