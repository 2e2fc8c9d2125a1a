#!/usr/bin/env bash
# versions.sh: writes into README, between its two marks, what scripts/test-all.sh has counted on each version of Postgres.
. "$(dirname "$0")/environment.sh"

folder=$target/test
begin='<!-- What scripts/versions.sh writes. -->'
end='<!-- Until here. -->'

# of VERSION LAYER: how many tests passed, and how many did not where some did not.
of() {
    [ -e "$folder/counts-$1.tsv" ] || {
        echo "not run"
        return
    }
    awk -F'\t' -v layer="$2" '$1 == layer { print $2 ($3 > 0 ? ", " $3 " failed" : ""); found = 1 }
        END { if (!found) print "not run" }' "$folder/counts-$1.tsv"
}

table() {
    local versions layer version
    mapfile -t versions < <(seq "$oldest_postgres" "$newest_postgres")
    printf '| layer |'
    for version in "${versions[@]}"; do
        printf ' %s |' "$(cat "$folder/server-$version" 2>/dev/null || echo "$version")"
    done
    printf '\n|---|'
    printf -- '---:|%.0s' "${versions[@]}"
    echo
    for layer in pure in-backend contract interleaving client attacks gateways cli packages faults upgrade versions; do
        printf '| %s |' "$layer"
        for version in "${versions[@]}"; do
            printf ' %s |' "$(of "$version" "$layer")"
        done
        echo
    done
}

grep -qxF -- "$begin" README.md && grep -qxF -- "$end" README.md || fail "README.md has no longer the marks of the table."
{
    awk -v mark="$begin" '{ print } $0 == mark { exit }' README.md
    echo
    table
    echo
    awk -v mark="$end" '$0 == mark { found = 1 } found' README.md
} >"$folder/README.md"
cp "$folder/README.md" README.md
