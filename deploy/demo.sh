#!/bin/sh
# The main job, on a fresh Debian 12 or 13, as root: installs what it needs, builds, starts a Docker Engine where none runs,
# lets three containers write, and collects them to stdout until Ctrl-C (or for DEMO_SECONDS).
set -eu
cd "$(dirname "$0")/.."

positions=$(mktemp -d)
started=
engine=
clean_up() {
    rm -r "$positions"
    # shellcheck disable=SC2086 # a list of names
    [ -z "$started" ] || docker rm -f $started >/dev/null 2>&1 || true
    [ "$engine" != ours ] || echo "The Docker Engine that was started goes on; to stop it: tests/setup/engine.sh stop" >&2
}
trap clean_up EXIT
trap 'exit 0' INT TERM

{
    tests/setup/install.sh build engine
    docker version >/dev/null 2>&1 && engine=theirs
    tests/setup/engine.sh start
    engine=${engine:-ours}
    make -s -j"$(nproc)"
} >&2

# service NAME COMMAND: a container of the project "demo".
service() {
    started="$started demo_$1_$$" # before it is there: Ctrl-C may come meanwhile
    docker run -d --name "demo_$1_$$" --label com.docker.compose.project=demo \
        --label "com.docker.compose.service=$1" debian:bookworm-slim sh -c "$2" >/dev/null
}

service web 'while :; do echo "GET /cart 200 $(date +%N)"; sleep 0.3; done'
service worker 'i=0; while :; do i=$((i+1)); echo "{\"level\":\"info\",\"msg\":\"job done\",\"job\":$i}"; sleep 0.5; done'
service db 'while :; do echo "checkpoint complete" >&2; sleep 1; done'

# No configuration but where to begin: everything else is as by default.
timeout --foreground "${DEMO_SECONDS:-0}" env SIDETAIL_CHECKPOINT_PATH="$positions/checkpoint.json" \
    SIDETAIL_START_AT=end SIDETAIL_INCLUDE_LABELS=com.docker.compose.project=demo build/sidetail run || [ $? -eq 124 ]
