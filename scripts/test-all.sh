#!/usr/bin/env bash
# test-all.sh [LAYER…]: every layer, or these, on each version of Postgres, one after the other in one target folder; then a
# table, which scripts/versions.sh puts into README. A version that fails does not keep the next from running. VERSIONS="17 18"
# runs only those; what was counted before, of other layers too, stays.
. "$(dirname "$0")/environment.sh"

read -ra versions <<<"${VERSIONS:-$(seq -s' ' "$oldest_postgres" "$newest_postgres")}"
folder=$target/test
status=0
unset PG_CONFIG

# What has been counted now, before what was counted of other layers earlier.
keep_counts() {
    local counts=$folder/counts-$1.tsv
    touch "$counts"
    awk -F'\t' '!seen[$1]++' "$folder/counts.tsv" "$counts" >"$counts.new"
    mv "$counts.new" "$counts"
    (PG=$1 choose_postgres && "$PG_CONFIG" --version | awk '{ print $2 }' >"$folder/server-$1")
}

mkdir -p "$folder"
for version in "${versions[@]}"; do
    printf '\n==== Postgres %s\n' "$version"
    rm -f "$folder/counts.tsv"
    started=$SECONDS
    { PG=$version scripts/setup.sh tests && PG=$version scripts/build.sh debug && PG=$version scripts/test.sh "$@"; } ||
        status=1
    # Where not even a layer ran.
    [ -s "$folder/counts.tsv" ] || printf 'build\t0\t1\n' >"$folder/counts.tsv"
    printf 'minutes\t%s\t0\n' $(((SECONDS - started + 59) / 60)) >>"$folder/counts.tsv"
    keep_counts "$version"
done

printf '\n%-14s' layer
printf '%12s' "${versions[@]}"
echo
layers=$(for version in "${versions[@]}"; do cut -f1 "$folder/counts-$version.tsv"; done | awk '!seen[$0]++')
for layer in $layers; do
    printf '%-14s' "$layer"
    for version in "${versions[@]}"; do
        printf '%12s' "$(awk -F'\t' -v layer="$layer" '$1 == layer { print $2 ($3 > 0 ? " (" $3 " failed)" : "") }' "$folder/counts-$version.tsv")"
    done
    echo
done
exit "$status"
