#!/bin/sh
# The main job, on a fresh Debian 12, as root: installs what it needs, builds, starts a Docker Engine where none runs, lets
# three containers write, and collects them to stdout until Ctrl-C (or for DEMO_SECONDS).
set -eu
cd "$(dirname "$0")/.."

{
    tests/setup/install.sh build engine
    tests/setup/engine.sh start
    make -s -j"$(nproc)"
} >&2

started=
# service NAME COMMAND: a container of the project "demo".
service() {
    started="$started $(docker run -d --name "demo_$1_$$" --label com.docker.compose.project=demo \
        --label "com.docker.compose.service=$1" debian:bookworm-slim sh -c "$2")"
}
clean_up() {
    # shellcheck disable=SC2086 # a list of ids
    docker rm -f $started >/dev/null
}
trap clean_up EXIT
trap 'exit 0' INT TERM

service web 'while :; do echo "GET /cart 200 $(date +%N)"; sleep 0.3; done'
service worker 'i=0; while :; do i=$((i+1)); echo "{\"level\":\"info\",\"msg\":\"job done\",\"job\":$i}"; sleep 0.5; done'
service db 'while :; do echo "checkpoint complete" >&2; sleep 1; done'

# No configuration but where to begin: everything else is as by default.
positions=$(mktemp -d)
timeout --foreground "${DEMO_SECONDS:-0}" env SIDETAIL_CHECKPOINT_PATH="$positions/checkpoint.json" \
    SIDETAIL_START_AT=end SIDETAIL_INCLUDE_LABELS=com.docker.compose.project=demo build/sidetail run || [ $? -eq 124 ]
rm -r "$positions"
