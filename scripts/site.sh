#!/usr/bin/env bash
# site.sh: the pages of docs/ as a site, in target/site, by mdBook. Links to files beside docs/ lead nowhere there.
. "$(dirname "$0")/environment.sh"

static=$target/static
mdbook=$static/bin/mdbook
mdbook_version=0.5.4

# Not optimised: it compiles in less than half the time, and writes the site in a second all the same.
install_mdbook() {
    CARGO_TARGET_DIR=$static/build CARGO_PROFILE_DEV_DEBUG=0 cargo install mdbook --version "$mdbook_version" --locked --debug \
        --no-default-features --features search --root "$static"
    rm -rf "$static/build"
}

# A page that the summary forgets is in no site.
check_summary() {
    local page
    for page in docs/*.md; do
        page=$(basename "$page")
        [ "$page" = SUMMARY.md ] || grep -qF "]($page)" docs/SUMMARY.md || fail "docs/SUMMARY.md does not list $page."
    done
}

check_summary
[ -x "$mdbook" ] && [ "$("$mdbook" --version)" = "mdbook v$mdbook_version" ] || install_mdbook
said=$("$mdbook" build --dest-dir "$target/site" 2>&1) || fail "$said"
! grep -E 'WARN|ERROR' <<<"$said" >&2 || fail "mdBook has something to say about docs/."
echo "site: $target/site/index.html"
