# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run.
#
# Everything the tests keep between two runs (downloaded jars, base image, an engine's log) lies in one state
# directory outside the repository: TEST_STATE, by default /var/tmp/sidetail-test.

set -euo pipefail

SETUP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO_DIR=$(cd "$SETUP_DIR/../.." && pwd)
STATE_DIR=${TEST_STATE:-/var/tmp/sidetail-test}
export SETUP_DIR REPO_DIR STATE_DIR

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "$1 needs root; run it as root or with sudo"
}

# need COMMAND GROUP: says which group of install.sh brings a missing command.
need() {
    command -v "$1" >/dev/null 2>&1 || die "$1 is missing; run tests/setup/install.sh $2"
}

# make_debian ARGUMENT...: mmdebstrap, which says what it does on stderr. It is kept away from the descriptors of our locks:
# with them, a pipe of Debian 13's gets a number of two digits, which its /bin/sh cannot redirect to.
make_debian() {
    mmdebstrap --quiet "$@" >&2 8>&- 9>&-
}

# retry SECONDS COMMAND...: until it succeeds; returns 1 when the time is over.
retry() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# wait_gone SECONDS PID...: until none of the processes is left (a zombie counts as gone).
wait_gone() {
    local end=$((SECONDS + $1)) pid left
    shift
    while :; do
        left=0
        for pid in "$@"; do
            if [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; then left=1; fi
        done
        [ "$left" = 1 ] || return 0
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# is_ours PID WORD: whether the process lives and has WORD in its command line; a recorded pid may be reused.
is_ours() {
    [ -n "$1" ] && [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2"
}
