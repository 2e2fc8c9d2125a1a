#!/usr/bin/env bash
# site.sh: the pages of docs/ as a site, in target/site, by mdBook. Files beside docs/ are no part of it: links to them lead to the
# repository where META.json says its address (resources.repository.web), and are plain words where it does not.
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

# docs/ and book.toml as the site is made of them, in a folder of its own.
copy_for_site() {
    local web link
    rm -rf "$1"
    mkdir -p "$1"
    cp -r book.toml docs "$1"
    web=$(sed -nE 's/.*"web"[[:space:]]*:[[:space:]]*"([^"]+)".*/\1/p' META.json | head -n 1)
    for link in $(grep -ohE '\]\(\.\./[^)#]+' docs/*.md | sed 's/^](//' | sort -u); do
        [ -e "docs/$link" ] || fail "A page of docs/ has a link to $link, which is not there."
    done
    if [ -n "$web" ]; then
        sed -i -E "s|\\]\\(\\.\\./|](${web%/}/blob/main/|g" "$1"/docs/*.md
    else
        # A link may be longer than a line.
        sed -i -zE 's/\[([^][]+)\]\(\.\.\/[^)]*\)/\1/g' "$1"/docs/*.md
    fi
}

# What a page of the site refers to is there, and so is the place on that page.
check_links() {
    local site=$1 page link file place dead=()
    for page in "$site"/*.html; do
        while read -r link; do
            file=${link%%#*} place=
            [[ $link != *'#'* ]] || place=${link#*'#'}
            if [ -n "$file" ]; then file=$site/${file%%\?*}; else file=$page; fi
            if [ ! -e "$file" ] || { [ -n "$place" ] && ! grep -qF "id=\"$place\"" "$file"; }; then
                dead+=("$(basename "$page"): $link")
            fi
        done < <(grep -oE '(href|src)="[^"]*"' "$page" | sed -E 's/^[a-z]+="(.*)"$/\1/; s/&amp;/\&/g' |
            grep -vE '^([a-z]+:|//|$)' | sort -u)
    done
    [ ${#dead[@]} = 0 ] || fail "Links of the site that lead nowhere:" "${dead[@]/#/$'\n  '}"
}

check_summary
copy_for_site "$target/site-source"
[ -x "$mdbook" ] && [ "$("$mdbook" --version)" = "mdbook v$mdbook_version" ] || install_mdbook
rm -rf "$target/site"
said=$("$mdbook" build --dest-dir "$target/site" "$target/site-source" 2>&1) || fail "$said"
! grep -E 'WARN|ERROR' <<<"$said" >&2 || fail "mdBook has something to say about docs/."
check_links "$target/site"
echo "site: $target/site/index.html"
