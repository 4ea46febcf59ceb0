#!/bin/bash
# A Debian 13 machine for tests, on any machine that has mmdebstrap: a root of its own, made from packages and kept, with
# mounts, processes, a name and a network of its own. It starts with what a fresh Debian has; commands in it install more.
#   tests/setup/machine.sh debian-13 COMMAND...        in the machine, in this repository, which lies there at the same path
#   tests/setup/machine.sh engine-latest COMMAND...    with the newest Engine first on the PATH, which engine_latest.sh builds
#   tests/setup/machine.sh fresh COMMAND...            in a new root, which is gone afterwards
#   tests/setup/machine.sh remove                      removes the root and all it holds
#
# build/ is the machine's own, for its compiler is another one: $STATE_DIR/machine/NAME/build, with the
# first argument as NAME. Kafka's jars and the base images are shared. Everything that runs in the machine ends with the
# command.
. "$(dirname "$0")/common.sh"

RELEASE=trixie
DIR=$STATE_DIR/machine
NAME=st$(printf %s "$STATE_DIR" | sha256sum | cut -c1-8)
NET=10.215.$((0x$(printf %s "$STATE_DIR" | sha256sum | cut -c1-4) % 250))

# make_root DIRECTORY: one with Debian's smallest set of packages. No service starts in it by being installed.
make_root() {
    local root=$1
    [ ! -d "$root" ] || return 0
    need mmdebstrap engine
    say "making a root of Debian $RELEASE"
    rm -rf "$root.part"
    mkdir -p "${root%/*}"
    make_debian --variant=minbase "$RELEASE" "$root.part"
    printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d"
    chmod +x "$root.part/usr/sbin/policy-rc.d"
    # A root that a power cut breaks is made anew, so that dpkg need not wait for the disk.
    echo force-unsafe-io >"$root.part/etc/dpkg/dpkg.cfg.d/unsafe-io"
    echo debian13 >"$root.part/etc/hostname"
    echo "127.0.0.1 localhost debian13" >"$root.part/etc/hosts"
    # Whom this machine trusts beyond what Debian does, as where a proxy looks into TLS; Java's list has them as well then.
    mkdir -p "$root.part/usr/local/share/ca-certificates"
    cp -rL /usr/local/share/ca-certificates/. "$root.part/usr/local/share/ca-certificates" 2>/dev/null || true
    mv "$root.part" "$root"
}

# install.sh decides what is installed: when it changes, the next run shows that it works on a fresh machine.
HASH=$({ declare -f make_root && cat "$SETUP_DIR/install.sh"; } | sha256sum | cut -c1-12)

# A name server on the loopback interface is out of the machine's reach; systemd-resolved tells those behind it.
resolvers() {
    local file=/etc/resolv.conf
    if grep -q '^nameserver 127\.' $file && [ -e /run/systemd/resolve/resolv.conf ]; then
        file=/run/systemd/resolve/resolv.conf
    fi
    cat $file
}

# An Engine in this machine drops what is forwarded; so the machine's packets are let through before its rules.
RULES=("FORWARD -i $NAME -j ACCEPT" "FORWARD -o $NAME -j ACCEPT" "POSTROUTING -t nat -s $NET.0/24 ! -o $NAME -j MASQUERADE")

network_down() {
    local rule
    for rule in "${RULES[@]}"; do
        # shellcheck disable=SC2086 # words of a rule
        while iptables -w -D $rule 2>/dev/null; do :; done
    done
    ip link del "$NAME" 2>/dev/null || true
    ip netns del "$NAME" 2>/dev/null || true
}

network_up() {
    local rule
    network_down
    ip netns add "$NAME"
    ip link add "$NAME" type veth peer name eth0 netns "$NAME"
    ip addr add "$NET.1/24" dev "$NAME"
    ip link set "$NAME" up
    ip -n "$NAME" link set lo up
    ip -n "$NAME" addr add "$NET.2/24" dev eth0
    ip -n "$NAME" link set eth0 up
    ip -n "$NAME" route add default via "$NET.1"
    echo 1 >/proc/sys/net/ipv4/ip_forward
    for rule in "${RULES[@]}"; do
        # shellcheck disable=SC2086
        iptables -w -I $rule
    done
}

# Runs as the first process of the machine's pid namespace, still in the old root: mounts what the machine has, and goes
# in. A shell stays behind the command and reaps what is orphaned; when it ends, all other processes do.
# shellcheck disable=SC2016 # the inner shell expands it
INIT='
set -e
root=$1 repo=$2 own=$3 shared=$4 engine=$5 state=$6
shift 6
mount --make-rprivate /
mount --bind "$root" "$root"
at() { mkdir -p "$root$2" && mount --bind "$1" "$root$2"; }
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
at "$repo" "$repo"
at "$own/build" "$repo/build"
at "$own/docker" /var/lib/docker
at "$shared/kafka-jars" "$state/kafka-jars"
at "$shared/images" "$state/images"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
rm -f "$root/etc/docker/daemon.json"
if [ -n "$engine" ]; then
    at "$engine/bin" /opt/engine/bin
    at "$engine/plugins" /usr/local/lib/docker/cli-plugins
    path=/opt/engine/bin:$path
    mkdir -p "$root/etc/docker"
    echo "{\"min-api-version\": \"1.44\"}" >"$root/etc/docker/daemon.json"
fi
hostname debian13
# Not chroot: who enters a container of this machine, as runc does for exec, would come out in the root behind it.
mkdir -p "$root/.old"
cd "$root"
pivot_root . .old
cd /
umount -l /.old
exec 3<&0
env -i PATH="$path" HOME=/root TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 TEST_STATE="$state" ${CI:+CI="$CI"} \
    sh -c "cd \"\$0\" && exec \"\$@\"" "$repo" "$@" <&3 3<&- &
exec 3<&-
wait $!
'

# enter ROOT OWN ENGINE COMMAND...: OWN is the directory of what belongs to the machine but not to its root.
enter() {
    local root=$1 own=$2 engine=$3
    shift 3
    mkdir -p "$own/build" "$own/docker" "$STATE_DIR/kafka-jars" "$STATE_DIR/images" "$REPO_DIR/build"
    resolvers >"$root/etc/resolv.conf"
    trap network_down EXIT
    network_up
    nsenter --net="/var/run/netns/$NAME" unshare --mount --pid --uts --fork --kill-child=KILL \
        bash -c "$INIT" init "$root" "$REPO_DIR" "$own" "$STATE_DIR" "$engine" /var/tmp/sidetail-test "$@"
}

# One command at a time: two would share their Engine's files.
lock() {
    need_root "a machine for tests"
    need ip engine
    need iptables engine
    mkdir -p "$DIR"
    exec 9>"$DIR/lock"
    flock -n 9 || die "the machine is in use; another TEST_STATE has one of its own"
}

run() {
    local own=$DIR/$1 engine=$2 old
    shift 2
    [ $# -gt 0 ] || die "a command is wanted"
    lock
    for old in "$DIR"/root-*; do
        [ "$old" = "$DIR/root-$HASH" ] || rm -rf "$old"
    done
    make_root "$DIR/root-$HASH"
    enter "$DIR/root-$HASH" "$own" "$engine" "$@" 9>&-
}

fresh() {
    [ $# -gt 0 ] || die "a command is wanted"
    lock
    rm -rf "$DIR/fresh"
    make_root "$DIR/fresh/root"
    local code=0
    enter "$DIR/fresh/root" "$DIR/fresh" "" "$@" 9>&- || code=$?
    rm -rf "$DIR/fresh"
    return $code
}

case ${1:-} in
debian-13) shift && run debian-13 "" "$@" ;;
engine-latest)
    shift
    latest=$("$SETUP_DIR/engine_latest.sh" build)
    run engine-latest "$latest" "$@"
    ;;
fresh) shift && fresh "$@" ;;
remove)
    lock
    network_down
    rm -rf "$DIR"
    ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
