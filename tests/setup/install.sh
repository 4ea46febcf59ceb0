#!/bin/bash
# Installs the Debian packages that building and testing need; does nothing when they are there.
#   tests/setup/install.sh [build|lint|engine|kafka|arm|test|all]...
#   tests/setup/install.sh --list GROUP     prints the packages of a group
. "$(dirname "$0")/common.sh"

BUILD="build-essential pkg-config libevent-dev libjansson-dev librdkafka-dev libpcre2-dev libhttp-parser-dev
       libxxhash-dev uthash-dev zlib1g-dev libssl-dev"
LINT="clang-format clang-tidy cppcheck"
ENGINE="docker.io iptables docker-compose mmdebstrap iproute2 ca-certificates procps util-linux"
KAFKA="maven kcat openssl"
# A cross compiler for 64-bit Arm, and what runs its programs (tests/setup/arm.sh).
ARM="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static mmdebstrap make pkg-config"
# python3-prometheus-client parses metrics in the tests; promtool would bring all of Prometheus (96 MB).
# systemd is there for its journald, which tests start beside an Engine of their own. podman has the same name on
# Debian 13; of the runtimes that it may use, docker.io brings runc.
TEST="libcmocka-dev python3 python3-pytest python3-pytest-timeout python3-pytest-xdist python3-pexpect python3-jsonschema python3-yaml
      python3-prometheus-client kcat podman valgrind tmux man-db clang libclang-rt-14-dev systemd"

packages_of() {
    case $1 in
    build) echo "$BUILD" ;;
    lint) echo "$BUILD $LINT" ;;
    engine) echo "$ENGINE" ;;
    kafka)
        echo "$KAFKA"
        # Any Java from 17 on will do, so one that is there already is not joined by a second.
        command -v java >/dev/null 2>&1 || echo default-jre-headless
        ;;
    arm) echo "$ARM" ;;
    test) echo "$BUILD $TEST" ;;
    all) echo "$BUILD $LINT $ENGINE $ARM $TEST $(packages_of kafka)" ;;
    *) return 1 ;;
    esac
}

missing() {
    local p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done | sort -u
}

main() {
    [ $# -gt 0 ] || set -- all
    case $1 in -h | --help)
        sed -n '2,4s/^# //p' "$0"
        return 0
        ;;
    --list)
        packages_of "${2:-}" | xargs
        return
        ;;
    esac
    command -v dpkg-query >/dev/null || die "this is for Debian 12; on another system install the like of: $BUILD"
    local group wanted="" lacking as_root=()
    for group in "$@"; do
        packages_of "$group" >/dev/null || die "unknown group '$group'; expected build, lint, engine, kafka, arm, test or all"
        wanted+=" $(packages_of "$group")"
    done
    # shellcheck disable=SC2086
    lacking=$(missing $wanted)
    [ -n "$lacking" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "these packages are missing, and only root can install them: ${lacking//$'\n'/ }"
        as_root=(sudo)
    fi
    say "installing ${lacking//$'\n'/ }"
    # Java's packages fail where a slim image left out the manuals' folder.
    "${as_root[@]}" mkdir -p /usr/share/man/man1
    # Lists may be absent or old on a fresh machine; without them apt-get knows no package.
    "${as_root[@]}" apt-get -q update >&2
    # shellcheck disable=SC2086
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $lacking >&2
}

main "$@"
