#!/bin/bash
# Installs the packages of Debian 12 or 13 that building and testing need; does nothing when they are there.
#   tests/setup/install.sh [build|lint|engine|engine-latest|kafka|monitor|arm|power|soak|test|all]...
#   tests/setup/install.sh --list GROUP     prints the packages of a group
. "$(dirname "$0")/common.sh"

BUILD="build-essential pkg-config libevent-dev libjansson-dev librdkafka-dev libpcre2-dev libhttp-parser-dev
       libxxhash-dev uthash-dev zlib1g-dev libzstd-dev libssl-dev"
LINT="clang-format clang-tidy cppcheck"
ENGINE="docker.io iptables docker-compose mmdebstrap iproute2 ca-certificates procps util-linux"
# For building the newest Engine, beside a Go that is newer than Debian's (tests/setup/engine_latest.sh).
ENGINE_LATEST="build-essential pkg-config libseccomp-dev libsystemd-dev"
KAFKA="maven kcat openssl"
# Look at what the metrics server serves: its page, which wants a font, and the metrics.
MONITOR="chromium-headless-shell fontconfig-config prometheus"
# A cross compiler for 64-bit Arm, and what runs its programs (tests/setup/arm.sh).
ARM="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static mmdebstrap make pkg-config"
# Makes file systems, and shuts them down amid their work.
POWER="e2fsprogs xfsprogs mount"
# python3-prometheus-client parses metrics in the tests.
# systemd is there for its journald, which tests start beside an Engine of their own. podman has the same name on
# Debian 13; of the runtimes that it may use, docker.io brings runc.
TEST="libcmocka-dev python3 python3-pytest python3-pytest-timeout python3-pytest-xdist python3-pexpect python3-jsonschema python3-yaml
      python3-prometheus-client kcat podman valgrind tmux man-db clang systemd fish"

# What has another name in each release. Debian 12's docker.io is the client as well, with docker-compose 1.29 and without
# BuildKit's plugin; from 13 on these are packages of their own, and docker-compose is the plugin for `docker compose`.
RELEASE=$(. /etc/os-release && echo "${VERSION_ID:-}")
case $RELEASE in
12) TEST+=" libclang-rt-14-dev" ;;
*)
    ENGINE+=" docker-cli docker-buildx"
    TEST+=" libclang-rt-19-dev"
    ;;
esac

packages_of() {
    case $1 in
    build) echo "$BUILD" ;;
    lint) echo "$BUILD $LINT" ;;
    engine) echo "$ENGINE" ;;
    engine-latest) echo "$ENGINE $ENGINE_LATEST" ;;
    kafka)
        echo "$KAFKA"
        # Any Java from 17 on will do, so one that is there already is not joined by a second.
        command -v java >/dev/null 2>&1 || echo default-jre-headless
        ;;
    monitor) echo "$MONITOR" ;;
    arm) echo "$ARM" ;;
    power) echo "$BUILD $TEST $POWER" ;;
    soak) echo "$BUILD $TEST $POWER $(packages_of kafka)" ;;
    test) echo "$BUILD $TEST" ;;
    all) echo "$BUILD $LINT $ENGINE $TEST $MONITOR $(packages_of kafka)" ;;
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
    command -v dpkg-query >/dev/null || die "this is for Debian 12 and 13; on another system install the like of: $BUILD"
    local group wanted="" lacking as_root=()
    for group in "$@"; do
        packages_of "$group" >/dev/null || die "unknown group '$group'; expected build, lint, engine, engine-latest, kafka, monitor, arm, power, soak, test or all"
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
