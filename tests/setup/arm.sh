#!/bin/bash
# The program and its unit tests for 64-bit Arm, cross-built, and run under emulation (qemu-user).
#   tests/setup/arm.sh make [ARGUMENT...]       make for Arm, below build/arm: build/arm/sidetail, build/arm/unit/test_buf …
#   tests/setup/arm.sh run PROGRAM [ARG...]     runs one of those programs
#   tests/setup/arm.sh sysroot                  prints where Arm's headers and libraries are
# The headers and libraries are unpacked from Debian's packages, of the release that this machine runs.
. "$(dirname "$0")/common.sh"

TRIPLET=aarch64-linux-gnu
# Debian 13 has the same program by the shorter name.
EMULATOR=$(command -v qemu-aarch64-static || echo qemu-aarch64)

# What is linked to, by the same names as here.
packages() {
    "$SETUP_DIR/install.sh" --list build | tr ' ' '\n' | grep -E -- '-dev$'
    echo libc6-dev libcmocka-dev libgcc-s1
}

suite() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

# Named by what goes in, so that another list or release makes another one.
sysroot() {
    local wanted dir
    wanted=$(packages | xargs | tr ' ' ',')
    dir=$STATE_DIR/arm/sysroot-$(echo "$(suite) $wanted" | sha256sum | cut -c1-12)
    if [ ! -d "$dir" ]; then
        need mmdebstrap arm
        mkdir -p "${dir%/*}"
        exec 9>"$STATE_DIR/arm/lock"
        flock 9
        [ -d "$dir" ] || unpack "$wanted" "$dir"
        exec 9>&-
    fi
    echo "$dir"
}

# unpack PACKAGES DIRECTORY: nothing of them is run. The emulator looks in there for whatever a program opens, so that only
# what is compiled and linked with is kept: a /dev there would hide the real one.
unpack() {
    say "unpacking Arm's libraries into $2"
    rm -rf "$2.part"
    make_debian --architectures=arm64 --variant=extract --include="$1" "$(suite)" "$2.part"
    find "$2.part" -mindepth 1 -maxdepth 1 ! -name usr ! -name 'lib*' -exec rm -rf {} +
    mv "$2.part" "$2"
}

make_arm() {
    need $TRIPLET-gcc arm
    local root
    root=$(sysroot)
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/$TRIPLET/pkgconfig:$root/usr/share/pkgconfig \
        make -C "$REPO_DIR" BUILD=build/arm CC="$TRIPLET-gcc --sysroot=$root" "$@"
}

run() {
    need "$EMULATOR" arm
    local root
    root=$(sysroot)
    exec "$EMULATOR" -L "$root" "$@"
}

case ${1:-} in
make) make_arm "${@:2}" ;;
run) run "${@:2}" ;;
sysroot) sysroot ;;
*)
    sed -n '2,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac
