#!/bin/bash
# A real Docker Engine for the tests, with the images they run.
#   tests/setup/engine.sh start     reuse the engine that answers, else start dockerd; build missing images
#   tests/setup/engine.sh images    build missing images only
#   tests/setup/engine.sh base trixie    build debian:trixie-slim, or that of another release, where it is missing
#   tests/setup/engine.sh stop      stop the engine, if this script started it
#   tests/setup/engine.sh status
#   tests/setup/engine.sh fate      say how the engine that this script started died, if it did
. "$(dirname "$0")/common.sh"

ENGINE_DIR=$STATE_DIR/engine
PID_FILE=$ENGINE_DIR/dockerd.pid
APP_IMAGE=sidetail-test/app
APP_DIR=$REPO_DIR/tests/integration/app

answers() { docker version >/dev/null 2>&1; }

answers_or_dead() { answers || [ ! -d "/proc/$1" ]; }

start_daemon() {
    need_root "starting dockerd"
    need dockerd engine
    # Another dockerd might be starting at this moment: wait for it rather than run into its pid file.
    local other
    other=$(cat /var/run/docker.pid 2>/dev/null || true)
    if is_ours "$other" dockerd; then
        retry 60 answers || die "dockerd runs (pid $other) but does not answer"
        return 0
    fi
    rm -f /var/run/docker.pid
    say "starting dockerd, log in $ENGINE_DIR/dockerd.log"
    setsid dockerd >>"$ENGINE_DIR/dockerd.log" 2>&1 </dev/null 9>&- &
    local pid=$!
    retry 60 answers_or_dead "$pid" || true
    if ! answers; then
        tail -n 20 "$ENGINE_DIR/dockerd.log" >&2
        die "dockerd does not answer; the end of its log is above"
    fi
    # setsid forks only when it leads a process group; the daemon's own file is right either way.
    pid=$(cat /var/run/docker.pid 2>/dev/null || echo "$pid")
    echo "$pid" >"$PID_FILE"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# build_base RELEASE: its image debian:RELEASE-slim, made from Debian's packages as the public one is, so that no image
# registry is needed.
build_base() {
    local release=$1 image=debian:$1-slim tarball=$STATE_DIR/images/$1-slim.tar
    has_image "$image" && return 0
    need mmdebstrap engine
    mkdir -p "${tarball%/*}"
    exec 8>"${tarball%/*}/lock"
    flock 8
    if [ ! -s "$tarball" ]; then
        say "building $image"
        make_debian --variant=minbase --include=ca-certificates \
            --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            --dpkgopt='path-exclude=/usr/share/doc/*' \
            --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            "$release" "$tarball.part.tar"
        mv "$tarball.part.tar" "$tarball"
    fi
    has_image "$image" || docker import --change 'CMD ["bash"]' "$tarball" "$image" >/dev/null
    flock -u 8
}

# The log writer, alone in its image; its tag is a hash of what it is built from.
build_app() {
    [ -d "$APP_DIR" ] || return 0
    need gcc build
    local hash dir
    hash=$(cat "$APP_DIR"/*.c "$APP_DIR"/*.h "$APP_DIR"/Makefile 2>/dev/null | sha256sum | cut -c1-12)
    if ! has_image "$APP_IMAGE:$hash"; then
        say "building $APP_IMAGE:$hash"
        dir=$(mktemp -d)
        make -s -C "$APP_DIR" OUT="$dir/logwriter" STATIC=1
        mkdir "$dir/root" "$dir/root/tmp" "$dir/root/logs"
        mv "$dir/logwriter" "$dir/root/logwriter"
        tar -C "$dir/root" -c . | docker import --change 'ENTRYPOINT ["/logwriter"]' - "$APP_IMAGE:$hash" >/dev/null
        rm -rf "$dir"
    fi
    docker tag "$APP_IMAGE:$hash" "$APP_IMAGE:latest"
}

build_images() {
    build_base bookworm
    build_app
}

start() {
    need docker engine
    mkdir -p "$ENGINE_DIR"
    exec 9>"$ENGINE_DIR/lock"
    flock 9
    answers || start_daemon
    build_images
    flock -u 9
    status
}

stop() {
    local pid
    pid=$(cat "$PID_FILE" 2>/dev/null || true)
    if ! is_ours "$pid" dockerd; then
        say "no engine that this script started"
        return 0
    fi
    kill "$pid"
    wait_gone 30 "$pid" || die "dockerd (pid $pid) does not stop; see $ENGINE_DIR/dockerd.log"
    rm -f "$PID_FILE"
    say "stopped"
}

status() {
    if ! answers; then
        echo "engine: not running"
        return 1
    fi
    docker version --format 'engine: {{.Server.Version}}, API {{.Server.APIVersion}}'
    docker info --format 'root: {{.DockerRootDir}}, storage {{.Driver}}, logs {{.LoggingDriver}}, cgroup v{{.CgroupVersion}}'
    docker image ls --format 'image: {{.Repository}}:{{.Tag}} {{.Size}}'
}

fate() {
    [ -s "$PID_FILE" ] && ! answers || return 0
    say "the engine died; its last words, from $ENGINE_DIR/dockerd.log:"
    local start
    start=$(grep -n 'msg="Starting up"' "$ENGINE_DIR/dockerd.log" | tail -n 1 | cut -d: -f1)
    tail -n +"${start:-1}" "$ENGINE_DIR/dockerd.log" >"$ENGINE_DIR/last.log"
    { grep -m 1 -A 20 -E '^(panic|fatal error):' "$ENGINE_DIR/last.log" || tail -n 20 "$ENGINE_DIR/last.log"; } >&2
}

case ${1:-} in
start) start ;;
images) build_images ;;
base) build_base "${2:?base of which release?}" ;;
stop) stop ;;
status) status ;;
fate) fate ;;
*)
    sed -n '2,8s/^# //p' "$0" >&2
    exit 2
    ;;
esac
