#!/bin/bash
# A real swarm of three nodes on one machine: three dockerd, each in a network namespace of its own.
#   tests/setup/swarm.sh up        start the nodes, init and join, load the image of the log writer
#   tests/setup/swarm.sh load IMAGE...    from this machine's engine into every node
#   tests/setup/swarm.sh down      remove it all
#   tests/setup/swarm.sh status
#
# Sockets: $STATE_DIR/swarm/node1.sock (the manager) to node3.sock; containers see this machine, and a broker
# which listens there, at 10.213.0.1. There is no ingress routing mesh, so services must not publish ports.
. "$(dirname "$0")/common.sh"

RUN=$STATE_DIR/swarm
BRIDGE=stswarm0
NET=10.213.0
NODES="1 2 3"
CGROUP=sidetail-swarm

on() {
    local node=$1
    shift
    DOCKER_HOST=unix://$RUN/node$node.sock docker "$@"
}

answers() { on "$1" version; }

init_pid() { cat "$RUN/node$1/init.pid" 2>/dev/null || true; }

make_network() {
    ip link add "$BRIDGE" type bridge
    ip addr add "$NET.1/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    # The engine's own rules drop what is forwarded between ports of a bridge that it does not know.
    iptables -I FORWARD -i "$BRIDGE" -j ACCEPT
    local n
    for n in $NODES; do
        ip netns add "stnode$n"
        ip link add "stveth$n" type veth peer name eth0 netns "stnode$n"
        ip link set "stveth$n" master "$BRIDGE" up
        ip -n "stnode$n" addr add "$NET.1$n/24" dev eth0
        ip -n "stnode$n" link set lo up
        ip -n "stnode$n" link set eth0 up
        ip -n "stnode$n" route add default via "$NET.1"
    done
}

# The node's processes share a pid namespace, whose first process is a shell that reaps what is orphaned: when it
# is killed, engine, containerd, shims and containers go with it, and so do their mounts. dockerd is entered by
# nsenter because `ip netns exec` would hide the cgroup mounts; cgroupfs because systemd, where it runs, would take
# the namespace's pids for its own. An engine asks the registry before it takes an image it has; here its name
# is not to be had, which a name server that is not there says at once, before each start of a task. Within the
# node its containers lie at /var/lib/docker/containers, as on any machine, so that what is deployed finds them.
launch_node() {
    local n=$1 dir=$RUN/node$1
    mkdir -p "$dir" /var/lib/docker/containers
    mkdir -p "$dir/data/containers"
    echo "127.0.0.1 localhost node-$n" >"$dir/hosts"
    echo "nameserver 127.0.0.1" >"$dir/resolv.conf"
    # shellcheck disable=SC2016 # the inner shell expands it
    setsid nsenter --net="/var/run/netns/stnode$n" \
        unshare --mount --pid --uts --fork --mount-proc --kill-child=KILL \
        bash -c 'hostname "$1"; mount --bind "$2/hosts" /etc/hosts; mount --bind "$2/resolv.conf" /etc/resolv.conf
            mount --bind "$2/data/containers" /var/lib/docker/containers
            shift 2; "$@" & wait' bash "node-$n" "$dir" \
        dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/dockerd.pid" \
        -H "unix://$RUN/node$n.sock" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$CGROUP" \
        >"$dir/dockerd.log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/init.pid"
}

answers_or_dead() { answers "$1" || [ ! -d "/proc/$(init_pid "$1")" ]; }

await_node() {
    retry 60 answers_or_dead "$1" || true
    answers "$1" >/dev/null 2>&1 && return 0
    tail -n 20 "$RUN/node$1/dockerd.log" >&2
    die "node $1 does not answer; the end of its log is above"
}

form_swarm() {
    local n token
    on 1 swarm init --advertise-addr "$NET.11" --default-addr-pool 10.214.0.0/16 >/dev/null
    token=$(on 1 swarm join-token -q worker)
    for n in 2 3; do
        on "$n" swarm join --advertise-addr "$NET.1$n" --token "$token" "$NET.11:2377" >/dev/null
    done
}

# load_node NODE IMAGE...: those of the images which the node has not.
load_node() {
    local n=$1 image missing=()
    shift
    for image in "$@"; do
        [ "$(on "$n" image inspect -f '{{.Id}}' "$image" 2>/dev/null)" = \
            "$(docker image inspect -f '{{.Id}}' "$image")" ] || missing+=("$image")
    done
    [ ${#missing[@]} = 0 ] || docker save "${missing[@]}" | on "$n" load -q >/dev/null
}

load_images() {
    local n jobs=()
    for n in $NODES; do
        load_node "$n" "$@" &
        jobs+=($!)
    done
    for n in "${jobs[@]}"; do wait "$n" || die "loading $* into a node failed"; done
}

up() {
    need_root "a swarm in network namespaces"
    need docker engine
    need ip engine
    if status >/dev/null 2>&1; then
        say "is up already"
        return 0
    fi
    down
    mkdir -p "$RUN"
    exec 9>"$STATE_DIR/swarm.lock"
    flock 9
    "$SETUP_DIR/engine.sh" start >/dev/null
    make_network
    local n
    for n in $NODES; do launch_node "$n"; done
    for n in $NODES; do await_node "$n"; done
    form_swarm
    load_images sidetail-test/app
    flock -u 9
    status
}

# Every step on its own, so that what a broken `up` left behind goes as well.
down() {
    need_root "removing the swarm"
    local n pid pids=()
    for n in $NODES; do
        pid=$(init_pid "$n")
        if is_ours "$pid" "$RUN/node$n"; then
            kill -9 "$pid"
            pids+=("$pid")
        fi
    done
    [ ${#pids[@]} = 0 ] || wait_gone 20 "${pids[@]}"
    for n in $NODES; do
        ip netns del "stnode$n" 2>/dev/null || true
        ip link del "stveth$n" 2>/dev/null || true
    done
    ip link del "$BRIDGE" 2>/dev/null || true
    while iptables -D FORWARD -i "$BRIDGE" -j ACCEPT 2>/dev/null; do :; done
    find /sys/fs/cgroup -depth -type d -path "*/$CGROUP*" -exec rmdir {} + 2>/dev/null || true
    for n in $NODES; do retry 10 rm -rf "$RUN/node$n"; done
    rm -rf "$RUN"
}

status() {
    [ "$(on 1 node ls --format '{{.Status}}' 2>/dev/null | grep -c Ready)" = 3 ] || {
        echo "swarm: not up"
        return 1
    }
    on 1 node ls --format '{{.Hostname}}: {{.Status}}, {{.Availability}} {{.ManagerStatus}}'
    echo "sockets: $RUN/node{1,2,3}.sock"
    echo "this machine: $NET.1"
}

case ${1:-} in
up) up ;;
load) shift && load_images "$@" ;;
down) down ;;
status) status ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
