# Sourced by setup.sh: packages of the distribution. A Postgres that is installed is never upgraded.
# shellcheck shell=bash

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        # A login of root's: su alone leaves the PATH without /usr/sbin, and dpkg needs it.
        fail "Packages are missing, and this is neither root nor is there a sudo. Have root install them:

    su - -c '${PG_CONFIG:+PG_CONFIG=$PG_CONFIG }$project/scripts/setup.sh ${purpose:-build} --packages'

then try again."
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

installed_version() {
    dpkg-query -W -f '${Version}' "$1" 2>/dev/null
}

offered_versions() {
    apt-cache madison "$1" 2>/dev/null | awk -F'|' '{gsub(/ /, "", $2); print $2}'
}

# The package at the version of an installed one, if the registry has it at that.
at_version_of() {
    local package=$1 version
    version=$(installed_version "$2") || return
    offered_versions "$package" | grep -xF -- "$version" >/dev/null && echo "$package=$version"
}

# The packages of the Postgres that is half there, else of the best that the registry offers.
missing_postgres() {
    local major
    major=$(offered_postgres)
    [ -n "$major" ] || fail "No package postgresql-$oldest_postgres to $newest_postgres is on offer here.
Install a Postgres with its server headers and try again with PG_CONFIG=/path/to/pg_config"
    if is_installed "postgresql-$major"; then
        missing_headers "$major"
    else
        echo "postgresql-$major"
        echo "postgresql-server-dev-$major"
    fi
}

# The headers of the very server that is installed: newer ones may bring it along to their version, which restarts its
# clusters.
missing_headers() {
    local major=$1 server
    server=$(installed_version "postgresql-$major")
    at_version_of "postgresql-server-dev-$major" "postgresql-$major" ||
        fail "The server headers of the installed postgresql-$major, which is $server, are not on offer here; of
postgresql-server-dev-$major there is: $(offered_versions "postgresql-server-dev-$major" | paste -sd' ')
Newer ones may upgrade the server, which restarts its clusters. When that may be, say so yourself:

    apt-get install postgresql-$major postgresql-server-dev-$major

then try again; or name another Postgres with its headers by PG_CONFIG=/path/to/pg_config"
    # The headers need these; of another version, they would upgrade the library that is there.
    if is_installed libpq5 && ! is_installed libpq-dev; then
        at_version_of libpq-dev libpq5 || true
    fi
}

offered_postgres() {
    local major
    for major in $(seq "$newest_postgres" -1 "$oldest_postgres"); do
        if is_installed "postgresql-$major"; then
            echo "$major"
            return
        fi
    done
    for major in "$oldest_postgres" $(seq "$newest_postgres" -1 $((oldest_postgres + 1))); do
        if [ -n "$(apt-cache search --names-only "^postgresql-server-dev-$major\$")" ]; then
            echo "$major"
            return
        fi
    done
}

# needrestart (Ubuntu) would restart services, perhaps a Postgres.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# A server of any version, also one that timedb is not for: its clusters are somebody's.
has_server() {
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' 'postgresql-[0-9]*' 2>/dev/null |
        grep -E '^postgresql-[0-9.]+ installed$' >/dev/null
}

# What of an installed Postgres apt-get would upgrade or remove for these packages: in its own words, a line each. Where
# there are clients only, a newer server may bring them along: no cluster hangs on them.
changes_to_postgres() {
    local change='Remv (postgresql|libpq)'
    ! has_server || change+='|Inst (postgresql|libpq)[^ ]* \['
    apt-get -s install --no-upgrade --no-install-recommends "$@" </dev/null |
        grep -E "^($change)" || true
}

install_missing() {
    local packages changes
    mapfile -t packages <<<"$1"
    changes=$(changes_to_postgres "${packages[@]}")
    [ -z "$changes" ] || fail "Installing ${packages[*]} would change the Postgres that is installed:

$changes

Nothing has been done. If that may be, say so yourself, then try again:

    apt-get install --no-install-recommends ${packages[*]}"
    echo "Installing from the distribution: ${packages[*]}"
    apt_get install -y --no-upgrade --no-install-recommends "${packages[@]}"
}
