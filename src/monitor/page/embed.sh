#!/bin/sh
# Writes C that holds the page: embed.sh > page.c
# POSIX, od and coreutils are all that it takes, so that it runs wherever the compiler does.
set -eu
cd "$(dirname "$0")"

# hash FILE: as a policy names it. The page has a newline behind <style> and <script>, which is hashed with the rest.
hash() {
    { echo && cat "$1"; } | sha256sum | cut -c 1-64 | tr a-f A-F | basenc -d --base16 | basenc --base64
}

# The files that the page names take the place of their names.
joined() {
    while IFS= read -r line; do
        case $line in
        @page.css | @page.js) cat "${line#@}" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <page.html
}

style=$(hash page.css)
script=$(hash page.js)
cat <<END
#include "monitor/page/page.h"

const char page_policy[] = "default-src 'none'; script-src 'sha256-$script'; style-src 'sha256-$style'; "
                           "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                           "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const unsigned char page_html[] = {
END
joined | od -An -v -tx1 | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
cat <<END
};
const size_t page_len = sizeof(page_html);
END
