#!/bin/bash
# The newest Docker Engine, with compose and buildx, built from their Go modules. They are built once, and kept.
#   tests/setup/engine_latest.sh build     build what is missing; prints the directory with the programs
#   tests/setup/engine_latest.sh dir       print that directory
#
# It takes some 12 minutes of CPU. Each program is built beside the others and put in place whole, so a build that was
# stopped goes on where it was. plugins/ beside bin/ holds what is a plugin of the docker command.
. "$(dirname "$0")/common.sh"

ENGINE=29.8.1
MOBY=v2.0.0-beta.24
CONTAINERD=v2.3.5
RUNC=v1.5.3
BUILDX=v0.38.2
COMPOSE=v5.6.0

# The directory is named after all of these, so a new version is built beside the old one.
HASH=$(printf '%s\n' $ENGINE $MOBY $CONTAINERD $RUNC $BUILDX $COMPOSE | sha256sum | cut -c1-12)
DIR=$STATE_DIR/engine-latest/$HASH

# Builds land here first: `go install` writes a program where GOBIN says, and no half of one must be taken for it.
PART=$DIR/part

# install NAME PLACE ARGUMENT...: `go install` with the arguments, and the program NAME into PLACE.
install_program() {
    local name=$1 place=$2
    shift 2
    [ ! -x "$DIR/$place/$name" ] || return 0
    say "building $name"
    GOBIN=$PART go install -trimpath "$@" >&2 || die "$name was not built; what Go says is above"
    mv "$PART/$name" "$DIR/$place/$name"
}

# Its go.mod excludes versions of modules, which `go install` refuses: so it is built in a copy of the module.
build_compose() {
    local name=docker-compose module=github.com/docker/compose/v5 source
    [ ! -x "$DIR/plugins/$name" ] || return 0
    say "building $name"
    source=$(cd "$PART" && go mod download -json "$module@$COMPOSE" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [ -d "$source" ] || die "$module@$COMPOSE was not downloaded; what Go says is above"
    rm -rf "$PART/compose"
    cp -r "$source" "$PART/compose"
    chmod -R u+w "$PART/compose"
    (cd "$PART/compose" && go build -trimpath -ldflags "-X $module/internal.Version=$COMPOSE" -o "$PART/$name" ./cmd) >&2 ||
        die "$name was not built; what Go says is above"
    mv "$PART/$name" "$DIR/plugins/$name"
}

build() {
    need go engine-latest
    need pkg-config engine-latest
    mkdir -p "$DIR/bin" "$DIR/plugins" "$PART"
    exec 9>"$STATE_DIR/engine-latest/lock"
    flock 9
    # btrfs and zfs want headers of their own, and no test runs on either.
    install_program dockerd bin -tags "exclude_graphdriver_btrfs exclude_graphdriver_zfs no_btrfs journald" \
        -ldflags "-X github.com/moby/moby/v2/dockerversion.Version=$ENGINE" "github.com/moby/moby/v2/cmd/dockerd@$MOBY"
    install_program docker-proxy bin "github.com/moby/moby/v2/cmd/docker-proxy@$MOBY"
    install_program containerd bin -tags no_btrfs "github.com/containerd/containerd/v2/cmd/containerd@$CONTAINERD"
    install_program containerd-shim-runc-v2 bin "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$CONTAINERD"
    install_program runc bin -tags seccomp "github.com/opencontainers/runc@$RUNC"
    # Compose refuses a buildx that cannot tell its version.
    install_program buildx plugins -ldflags "-X github.com/docker/buildx/version.Version=$BUILDX" \
        "github.com/docker/buildx/cmd/buildx@$BUILDX"
    build_compose
    ln -sf buildx "$DIR/plugins/docker-buildx"
    rm -rf "$PART"
    flock -u 9
    echo "$DIR"
}

case ${1:-} in
build) build ;;
dir) echo "$DIR" ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
