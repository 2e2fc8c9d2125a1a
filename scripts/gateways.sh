#!/usr/bin/env bash
# Puts into target/gateways what tests/gateways runs and is not there yet: PgBouncer and pg_cron from Debian's
# packages, postrust from crates.io, clients of docs/clients.md from PyPI, npm, crates.io and Debian, and curl from the
# distribution. All of it lies beside the system: no service is installed, so none is started, stopped or configured, and
# no root is needed. What is as large as a JDK, R or node is used where it is, and not fetched.
. "$(dirname "$0")/environment.sh"

gateways=$target/gateways
pgbouncer=$gateways/pgbouncer
postrust_version=2.3.0
python=$gateways/python
# What an application has in it, pinned: whose pools docs/pools.md is about, and the clients of docs/clients.md.
requirements=tests/gateways/requirements.txt
# What a reader of the notebooks installs.
notebooks=examples/notebooks/requirements.txt
node=$gateways/node
packages_of_node=tests/gateways/package.json
jdbc=$gateways/jdbc

# Prepared statements of clients survive in a transaction pool from 1.21 on; Debian 12 has 1.18, the next one 1.24.
newer_suite=trixie
# What PgBouncer and its libraries need, down to the C library of that suite.
packages=(
    pgbouncer libc6 libcares2 libevent-2.1-7t64 libpam0g libssl3t64 libsystemd0
    libaudit1 libcap2 libcap-ng0 libzstd1 zlib1g
)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

is_old_debian() {
    (. /etc/os-release && [ "$ID" = debian ] && [ "${VERSION_ID:-99}" -lt 13 ])
}

# Where the system has its own packages from.
mirror() {
    apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "main" && $2 !~ /security/ { print $2; exit }'
}

# apt with lists, cache and state of its own: the system's stay as they are.
private_apt() {
    local tool=$1 apt=$gateways/apt
    shift
    "$tool" -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" \
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Dpkg::Use-Pty=0 "$@"
}

unpack_pgbouncer() {
    local apt=$gateways/apt unpacked=$gateways/unpacked package libraries loader
    rm -rf "$apt" "$unpacked" "$pgbouncer.new"
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$unpacked" "$pgbouncer.new"
    if is_old_debian; then
        [ -f "$keyring" ] || fail "$keyring is missing: apt-get install debian-archive-keyring"
        : >"$apt/status"
        echo "deb [signed-by=$keyring] $(mirror) $newer_suite main" >"$apt/sources.list"
        private_apt apt-get update
        (cd "$apt/archives" && private_apt apt-get download "${packages[@]}")
    else
        (cd "$apt/archives" && apt-get -q download "${packages[@]}")
    fi
    for package in "$apt"/archives/*.deb; do
        dpkg-deb --extract "$package" "$unpacked"
    done
    # Flat, and no more than it loads, so that a test can copy the folder to where its user may read it.
    libraries=$(dirname "$(find "$unpacked" -name 'libevent-2.1.so.7')")
    loader=$(find "$unpacked" -name 'ld-linux*.so.*' | head -n1)
    "$loader" --library-path "$libraries" --list "$unpacked/usr/sbin/pgbouncer" |
        awk -v from="$libraries/" 'index($3, from) == 1 { print $3 }' |
        xargs cp -L -t "$pgbouncer.new"
    cp -L "$loader" "$unpacked/usr/sbin/pgbouncer" "$pgbouncer.new"
    cat >"$pgbouncer.new/run" <<'EOF'
#!/bin/sh
# By the loader and the libraries of its own Debian.
here=$(dirname "$0")
exec "$here"/ld-linux*.so.* --library-path "$here" "$here/pgbouncer" "$@"
EOF
    chmod +x "$pgbouncer.new/run"
    "$pgbouncer.new/run" --version >/dev/null
    mv "$pgbouncer.new" "$pgbouncer"
    rm -rf "$apt" "$unpacked"
}

# For the Postgres that is tested; the distribution has it for its own alone.
unpack_pg_cron() {
    local into=$gateways/pg_cron-$postgres_major package=postgresql-$postgres_major-cron
    rm -rf "$into.new"
    mkdir -p "$into.new"
    (cd "$into.new" && apt-get -q -o APT::Sandbox::User= download "$package" && dpkg-deb --extract ./*.deb .)
    rm "$into.new"/*.deb
    mv "$into.new" "$into"
}

# Not optimised: it compiles in half the time, and no test measures it.
build_postrust() {
    echo "First build of postrust: about 3 minutes on two idle cores." >&2
    CARGO_TARGET_DIR=$gateways/build CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=debuginfo \
        cargo install postrust-server --version "$postrust_version" --locked \
        --features compat-key-order --root "$gateways"
    rm -rf "$gateways/build"
}

is_current() {
    [ -x "$gateways/bin/postrust" ] &&
        grep -q "postrust-server $postrust_version " "$gateways/.crates.toml"
}

install_python() {
    rm -rf "$python"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" \
        --requirement "$notebooks"
    cat "$requirements" "$notebooks" >"$python/installed"
}

install_node_packages() {
    rm -rf "$node"
    mkdir -p "$node"
    cp "$packages_of_node" "$node/package.json"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$node" &&
        cp "$packages_of_node" "$node/installed"
}

unpack_jdbc() {
    rm -rf "$jdbc.new"
    mkdir -p "$jdbc.new"
    (cd "$jdbc.new" && apt-get -q -o APT::Sandbox::User= download libpostgresql-jdbc-java && dpkg-deb --extract ./*.deb .) &&
        cp -L "$jdbc.new/usr/share/java/postgresql.jar" "$jdbc.new" &&
        rm -rf "$jdbc.new"/*.deb "$jdbc.new/usr" &&
        mv "$jdbc.new" "$jdbc"
}

if [ ! -x "$pgbouncer/run" ]; then
    command -v apt-get >/dev/null || fail "No apt-get here to fetch PgBouncer with: put one of 1.21 or
later, started by a script named run, into $pgbouncer"
    unpack_pgbouncer
fi
choose_postgres
if [ ! -d "$gateways/pg_cron-$postgres_major" ] && apt-cache show "postgresql-$postgres_major-cron" >/dev/null 2>&1; then
    unpack_pg_cron
fi
is_current || build_postrust
cat "$requirements" "$notebooks" | cmp --silent - "$python/installed" || install_python
if command -v npm >/dev/null; then
    cmp --silent "$packages_of_node" "$node/installed" || install_node_packages ||
        echo "Left out: the clients of node, as npm did not fetch them." >&2
fi
if [ ! -d "$jdbc" ] && command -v javac >/dev/null; then
    unpack_jdbc || echo "Left out: JDBC, as there is no libpostgresql-jdbc-java to fetch." >&2
fi
# Their crates are none of timedb's, so they have a lock of their own; the first build takes about a minute.
cargo build --quiet --locked --manifest-path examples/clients/Cargo.toml --target-dir "$gateways/rust"
"$pgbouncer/run" --version | head -n1
echo "postrust $postrust_version"
echo "Python with $(tr '\n' ' ' <"$requirements")"
