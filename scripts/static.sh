#!/usr/bin/env bash
# Checks that run nothing: pgspot over the SQL that installs and updates timedb, and over the licences
# and the origin of every crate. Any finding fails.
. "$(dirname "$0")/environment.sh"

static=$target/static
pgspot=$static/bin/pgspot
pgspot_version=0.9.4
# Its parser, which decides what it can read.
pglast_version=7.21

# What pgspot reports wrongly or cannot read, as options for it, each with the reason. None today:
# 0.9.4 stops at BEGIN ATOMIC (and then exits with 1 while it prints no error), so no function has one.
reviewed=()

install_pgspot() {
    python3 -m venv "$static"
    "$static/bin/pip" install --quiet --disable-pip-version-check \
        "pgspot==$pgspot_version" "pglast==$pglast_version"
}

# pgspot's own status is 0 with warnings too; its last words count them.
is_clean() {
    local said
    said=$("$pgspot" "${reviewed[@]}" "$1") || return
    [[ $said == *"Errors: 0 Warnings: 0 Unknown: 0"* ]]
}

# A gate that lets everything through looks just like a gate with nothing to hold back.
check_pgspot_finds() {
    local planted=$static/planted.sql
    { cat "$1" && echo "$2"; } >"$planted"
    ! is_clean "$planted" || fail "pgspot does not see: $2"
}

check_sql() {
    local script update
    script=$("$target/debug/private-server" script "$static")
    check_pgspot_finds "$script" "CREATE FUNCTION timedb.planted() RETURNS int SECURITY DEFINER
        LANGUAGE sql AS 'SELECT count(*)::int FROM users';"
    check_pgspot_finds "$script" "RESET search_path; SELECT now() > now();"
    check_pgspot_finds "$script" "CREATE SCHEMA IF NOT EXISTS planted;"
    for update in "$script" sql/timedb--*--*.sql; do
        [ -e "$update" ] || continue
        is_clean "$update" || {
            "$pgspot" "${reviewed[@]}" "$update" || true
            fail "pgspot has findings in $update: put them right, or say in scripts/static.sh why they are wrong."
        }
        echo "pgspot: $(basename "$update") is clean"
    done
}

# cargo audit and the advisories of cargo deny read the RustSec database from its repository, which cannot be
# reached where only package registries are. What cargo itself knows is checked here: where each crate comes
# from, and under which licence.
check_crates() {
    cargo metadata --format-version 1 --locked >"$static/metadata.json"
    "$static/bin/python" - "$static/metadata.json" <<'EOF'
import json, re, sys

ALLOWED = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
           "CC0-1.0", "ISC", "MIT-0", "PostgreSQL", "Unicode-3.0", "Unlicense", "Zlib"}


def is_allowed(licence):
    """Whether one of the alternatives asks for allowed licences only."""
    licence = licence.replace("/", " OR ")
    names = r"[A-Za-z0-9.+-]+(?: WITH [A-Za-z0-9.+-]+)?"
    terms = re.sub(names, lambda term: term[0] if term[0] in ("OR", "AND")
                   else str(term[0] in ALLOWED), licence)
    return eval(terms.replace("OR", "or").replace("AND", "and"), {"__builtins__": {}})


assert is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0") and not is_allowed("MIT AND GPL-3.0")
crates = [p for p in json.load(open(sys.argv[1]))["packages"] if p["source"]]
# cargo's own registry, and no other: the one that serde comes from.
home = next(p["source"] for p in crates if p["name"] == "serde")
assert home.startswith("registry+")
faults = [f"{p['name']} {p['version']} comes from {p['source']}" for p in crates if p["source"] != home]
faults += [f"{p['name']} {p['version']} has the licence {p['license']}" for p in crates
           if not p["license"] or not is_allowed(p["license"])]
print("\n".join(faults) or f"crates: {len(crates)} of crates.io, each under a licence that is allowed")
sys.exit(bool(faults))
EOF
}

[ -x "$pgspot" ] && [ "$("$pgspot" --version)" = "pgspot $pgspot_version" ] || install_pgspot
check_sql
check_crates
