#!/usr/bin/env bash
# Formatting and clippy, for everything and with nothing let pass.
. "$(dirname "$0")/environment.sh"
choose_postgres

for tool in fmt clippy; do
    cargo "$tool" --version >/dev/null 2>&1 ||
        fail "cargo $tool is missing. Run: rustup component add rustfmt clippy"
done

cargo fmt --all -- --check
# Twice: the tests within the extension are not in what ships.
for feature in "pg$postgres_major" "pg$postgres_major,in_backend_tests"; do
    cargo clippy --workspace --all-targets --no-default-features --features "$feature" -- -D warnings
done
