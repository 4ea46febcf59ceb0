#!/bin/bash
# The tests, all of them or the stages named:
#   tests/run.sh [install|build|unit|unit-asan|unit-valgrind|fuzz|lint|integration|integration-asan|swarm|debian-13]...
#   tests/run.sh unit-arm          the unit tests for 64-bit Arm, cross-built and emulated
#   tests/run.sh image-arm         the image for 64-bit Arm, cross-compiled too, and run emulated
#   tests/run.sh power             cuts the power of disks while the collector writes to them, 300 times for each of four
#                                  tests, in some eight minutes; POWER_SEED=N repeats a run, POWER_CUTS=N makes it shorter
#   tests/run.sh kafka-crash       kills brokers 30 times while lines flow, the only one, with the collector too, and one of
#                                  three, in half an hour; KAFKA_KILLS=N makes it shorter
#   tests/run.sh soak              half an hour of faults: 1,000 kills for each sink that promises exactly once; SOAK_SEED=N
#                                  repeats a run, SOAK_KILLS=N makes it shorter
#   tests/run.sh engine-latest     those of debian-13 with the newest Engine, which is built from its Go modules
#   tests/run.sh quick      between two edits: builds, runs the unit tests, and lints what changed, in two minutes
#
# On a fresh Debian 12 or 13, as root: installs what is missing, builds with and without sanitizers, and starts a real Docker
# Engine and a real Kafka. Each stage's output is in build/logs. The last line is "N passed, N failed"; what was skipped
# is said, and counts as failed when CI=true. Exit code 1 when anything failed. `quick` needs neither root nor an Engine.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

ALL=(install build unit unit-asan unit-valgrind fuzz lint integration integration-asan swarm debian-13)
QUICK=(compile unit lint-changed)
# A linter of another version finds other things: those of Debian 12 count. And on Debian 13, its Engine is tested already.
if [ "$(. /etc/os-release && echo "${VERSION_ID:-}")" = 13 ]; then
    ALL=(install build unit unit-asan unit-valgrind fuzz integration integration-asan swarm)
    QUICK=(compile unit)
fi
LOGS=$PWD/build/logs
ASAN=build/asan
JOBS=$(nproc)
# Valgrind and the sanitizers say what they find by these codes, which no test program uses.
export ASAN_OPTIONS=detect_leaks=1:exitcode=99:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
PASSED=0 FAILED=0 SKIPPED=0

# count PASSED FAILED SKIPPED: adds a stage's numbers; called by the stages.
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + ${3:-0}))
}

# one COMMAND...: a command that is one test.
one() {
    if "$@"; then
        count 1 0
    else
        echo "FAILED ($?): $*"
        count 0 1
    fi
}

# need COMMAND...: what must succeed before a stage's tests, and is no test of its own.
need() {
    "$@" && return 0
    echo "FAILED ($?): $*"
    count 0 1
}

make_asan() { make -s -j"$JOBS" SANITIZE=1 BUILD=$ASAN "$@"; }

stage_install() { one tests/setup/install.sh all; }

stage_build() {
    one make -s -j"$JOBS"
    one make_asan
}

stage_compile() { one make -s -j"$JOBS"; }

# The unit tests that take longest. They start first, so that none of them is still running when all others are done.
SLOW=(test_follow_identity test_follow_scarce test_config test_sink_faults test_follow_copies test_follow_order test_follow_names
    test_follow_faults test_follow_furthest test_kafka_mock test_kafka_renewal test_kafka_topics_made test_follow_cut_times
    test_follow_mended test_follow_begin)

# unit_programs DIRECTORY: the names of the unit tests' programs below a build directory.
unit_programs() {
    local source name
    for source in "${SLOW[@]/#/tests/unit/}" tests/unit/test_*.c; do
        name=$(basename "$source" .c)
        [ ! -e "tests/unit/$name.c" ] || echo "$1/unit/$name"
    done | awk '!seen[$0]++'
}

# One program may hold several groups of tests, each with a summary of its own.
cmocka_total() { awk -v word="$1" '$2 == word && $5 ~ /^test/ { n += $4 } END { print n + 0 }'; }

# run_units LIMIT PROGRAM_PREFIX... -- PROGRAM...: runs each for at most LIMIT seconds, several at once since they wait for
# most of their time, and counts what cmocka counted.
run_units() {
    local limit=$1 prefix=() program output code good bad ran
    shift
    while [ "$1" != -- ]; do
        prefix+=("$1")
        shift
    done
    shift
    ran=$(mktemp -d)
    for program in "$@"; do
        while [ "$(jobs -rp | wc -l)" -ge $((2 * JOBS)) ]; do wait -n; done
        {
            timeout "$limit" "${prefix[@]}" "$program" >"$ran/${program##*/}" 2>&1 </dev/null
            echo $? >"$ran/${program##*/}.code"
        } &
    done
    wait
    for program in "$@"; do
        output=$(cat "$ran/${program##*/}")
        code=$(cat "$ran/${program##*/}.code")
        printf '%s\n' "$output"
        good=$(cmocka_total PASSED <<<"$output")
        bad=$(cmocka_total FAILED <<<"$output")
        count "$good" "$bad"
        if [ "$bad" != 0 ]; then trouble+=$output$'\n'; fi
        # Where all of its tests ask for more rights than there are, none passes.
        if [ "$code$good" = 00 ] && [ "$(cmocka_total SKIPPED <<<"$output")" != 0 ]; then
            echo "SKIPPED $program"
            count 0 0 1
            continue
        fi
        # A crash, a leak, a time-out or a program without a test is a failure that cmocka did not count.
        if [ "$bad" = 0 ] && { [ "$code" != 0 ] || [ "$good" = 0 ]; }; then
            echo "FAILED: $program ended with $code"
            trouble+="$output"$'\n'"$program ended with $code"$'\n'
            count 0 1
        fi
    done
    rm -r "$ran"
}

stage_unit() {
    local programs
    mapfile -t programs < <(unit_programs build)
    need make -s -k -j"$JOBS" "${programs[@]}"
    run_units 120 -- "${programs[@]}"
}

stage_unit-asan() {
    local programs
    mapfile -t programs < <(unit_programs $ASAN)
    need make_asan -k "${programs[@]}"
    run_units 300 -- "${programs[@]}"
}

stage_unit-valgrind() {
    local programs
    mapfile -t programs < <(unit_programs build)
    need make -s -k -j"$JOBS" "${programs[@]}"
    run_units 1200 valgrind -q --suppressions=tests/setup/valgrind.supp --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --num-callers=30 -- "${programs[@]}"
}

# Cross-built for 64-bit Arm, and emulated.
stage_unit-arm() {
    local programs
    mapfile -t programs < <(unit_programs build/arm)
    need tests/setup/install.sh arm
    one tests/setup/arm.sh make -s -j"$JOBS" build/arm/sidetail
    need tests/setup/arm.sh make -s -k -j"$JOBS" "${programs[@]}"
    run_units 1800 tests/setup/arm.sh run -- "${programs[@]}"
}

# A target that does nothing proves nothing.
make_target() { [ -n "$(make -s -n "$@")" ] && make -s -j"$JOBS" "$@"; }

stage_fuzz() { one make_target fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-60}"; }

stage_lint() { one make_target lint; }

# changed_files: the files of src and include that differ from the last commit; where none does, those that it changed.
changed_files() {
    local since=HEAD
    if [ -z "$(git status --porcelain -- src include)" ] && git rev-parse -q --verify HEAD~1 >/dev/null; then
        since=HEAD~1
    fi
    git diff --name-only --diff-filter=d "$since" -- src include
    git ls-files --others --exclude-standard -- src include
}

# changed_sources: the .c files among them, and for each header one file that includes it.
changed_sources() {
    local file
    while read -r file; do
        case $file in
        *.c) echo "$file" ;;
        include/*.h) grep -rlF --include='*.c' "#include \"${file#include/}\"" src | sort | head -n 1 ;;
        *.h) grep -rlF --include='*.c' "${file##*/}\"" src | sort | head -n 1 ;;
        esac
    done < <(changed_files) | sort -u
}

# clang-tidy takes some two seconds a file: a change of more than this many is for the stage lint.
TIDY_MAX=8

stage_lint-changed() {
    local sources
    need git rev-parse --verify HEAD
    mapfile -t sources < <(changed_sources)
    if [ "${#sources[@]}" -gt "$TIDY_MAX" ]; then
        echo "clang-tidy looks at $TIDY_MAX of the ${#sources[@]} files that changed; at all of them in: tests/run.sh lint"
        sources=("${sources[@]:0:$TIDY_MAX}")
    fi
    echo "clang-tidy: ${sources[*]:-nothing changed}"
    one make_target lint TIDY="${sources[*]}"
}

# Several files of tests at once, for they wait more than they work.
AT_ONCE=(-n 3 --dist loadfile)

# run_pytest ARGUMENT... FILE...: counts by the numbers that conftest.py leaves when a run has come to its end.
run_pytest() {
    local counts=$LOGS/counts code
    rm -f "$counts"
    TEST_COUNTS=$counts /usr/bin/python3 -m pytest -p no:cacheprovider --durations=10 "$@"
    code=$?
    # shellcheck disable=SC2046
    [ ! -s "$counts" ] || count $(cat "$counts")
    # 1 is for tests that failed, which are counted; any other is for a run that did not do what it should.
    if [ ! -s "$counts" ] || [ "$code" -gt 1 ]; then
        echo "FAILED: pytest ended with $code"
        count 0 1
    fi
}

stage_integration() {
    need make -s -j"$JOBS"
    run_pytest "${AT_ONCE[@]}" -m "not swarm and not arm and not power and not crash and not soak" tests/integration
}

# Once more with the sanitizers' build, without what takes long and without what measures memory and time.
stage_integration-asan() {
    need make_asan
    TEST_BINARY=$PWD/$ASAN/sidetail run_pytest "${AT_ONCE[@]}" -m "not swarm and not slow and not figures and not image and not power and not crash and not soak" \
        --ignore tests/integration/test_verify.py --ignore tests/integration/test_surroundings.py tests/integration
}

# What an Engine of another version may break, without kafka/, without 200 kills of a collector that reads files, and with
# one build of the image alone: another Engine runs another builder, but of the same Dockerfile.
ENGINE_TESTS=(docker_api docker_api_engine docker_api_faults docker_api_journald docker_api_times docker_context tail
    tail_faults tail_files json_file image monitor compose demo)
LEFT_OUT=(test_json_file.py::test_kill_9 test_image.py::test_is_the_same_each_time
    "test_image.py::test_each_debian_gives_a_small_image_that_collects[bookworm]")

stage_integration-engine() {
    need make -s -j"$JOBS"
    local files=("${ENGINE_TESTS[@]/#/tests/integration/test_}")
    run_pytest "${AT_ONCE[@]}" "${LEFT_OUT[@]/#/--deselect=}" "${files[@]/%/.py}"
}

stage_image-arm() {
    need tests/setup/install.sh engine test arm
    run_pytest -m arm tests/integration
}

# Two tests at once: they wait for a disk more than they work.
stage_power() {
    need tests/setup/install.sh power
    need make -s -j"$JOBS"
    run_pytest -n 2 -m power -rP tests/integration/test_power.py
}

# One after the other: a broker that starts wants a processor for itself.
stage_kafka-crash() {
    need make -s -j"$JOBS"
    run_pytest -m crash tests/integration/kafka
}

# The two sinks at once: they wait for disks, brokers and starts.
stage_soak() {
    need tests/setup/install.sh soak
    need make -s -j"$JOBS"
    run_pytest -n 2 -m soak -rP tests/integration/test_soak.py
}

stage_swarm() {
    need make -s -j"$JOBS"
    run_pytest -m swarm tests/integration
}

# in_machine HOW STAGE...: the stages within the machine of tests/setup/machine.sh. Its summary has a line for each stage, and
# these are what counts.
in_machine() {
    local how=$1 output good bad left code
    shift
    output=$(mktemp)
    tests/setup/machine.sh "$how" tests/run.sh "$@" >"$output" 2>&1
    code=$?
    cat "$output"
    rm -rf "$LOGS/$how"
    cp -r "${TEST_STATE:-/var/tmp/sidetail-test}/machine/$how/build/logs" "$LOGS/$how" || true
    read -r good bad left < <(awk '/^== all$/ { all = 1 } all && $3 == "passed" && $5 == "failed" { g += $2; b += $4; l += $6 }
        END { print g + 0, b + 0, l + 0 }' "$output")
    count "$good" "$bad" "$left"
    # A stage that did not come to its end says nothing that could be counted.
    [ "$code" = 0 ] || [ $((bad + left)) -gt 0 ] || { echo "FAILED ($code): $how $*" && count 0 1; }
    trouble=$(sed -n '/^-- what failed/,/^== all$/p' "$output")
    rm "$output"
}

# The tests of the Engine with those of Debian 13 and with the newest; what is compiled there is by gcc 14.
stage_debian-13() { in_machine debian-13 install compile unit integration-engine swarm; }

stage_engine-latest() { in_machine engine-latest install compile integration-engine swarm; }

# Several engines, and the collectors beside them, use up the 128 that are the kernel's default. Raised where that is
# allowed; what cannot be is said, and goes on.
raise_inotify() {
    local limit=/proc/sys/fs/inotify/max_user_instances before
    before=$(cat $limit)
    [ "$before" -lt 1024 ] || return 0
    if echo 1024 2>/dev/null >$limit; then
        echo "fs.inotify.max_user_instances was $before, is 1024 from now on"
    else
        echo "fs.inotify.max_user_instances is $before and cannot be raised: the swarm may run out of it"
    fi
}

summary=() names=""

# What failed by name, of all stages: of a long run, only its end may be kept.
failures() { grep -hE '^(FAILED|ERROR)[ :(]|^\[  FAILED  \] [a-z]' "$1" | sort -u | cut -c1-150; }

run_stage() {
    local name=$1 start=$SECONDS passed=0 failed=0 skipped=0 trouble="" line
    echo "== $name"
    # In this shell, so that the stage's counts are seen; its output goes to the log.
    "stage_$name" >"$LOGS/$name.log" 2>&1 </dev/null
    if [ "$failed" -gt 0 ]; then
        echo "-- what failed, from $LOGS/$name.log:"
        if [ -n "$trouble" ]; then printf '%s' "$trouble"; else cat "$LOGS/$name.log"; fi | tail -n 100
        tests/setup/engine.sh fate
        names+=$(failures "$LOGS/$name.log")$'\n'
    fi
    grep -E '^SKIPPED ' "$LOGS/$name.log"
    line=$(printf '%-17s %5d passed %4d failed %4d skipped %5d s' \
        "$name" "$passed" "$failed" "$skipped" $((SECONDS - start)))
    echo "$line"
    summary+=("$line")
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
}

engine_ran=1

clean_up() {
    [ "$engine_ran" = 1 ] || tests/setup/engine.sh stop
}

main() {
    local stage quick=0
    [ $# -gt 0 ] || set -- "${ALL[@]}"
    if [ "$*" = quick ]; then
        set -- "${QUICK[@]}"
        quick=1
    fi
    for stage in "$@"; do
        [ "$(type -t "stage_$stage")" = function ] || {
            echo "unknown stage '$stage'; there are: ${ALL[*]}, compile, integration-engine, unit-arm, image-arm, power, kafka-crash, soak, engine-latest, and quick" >&2
            exit 2
        }
    done
    [ "$quick" = 1 ] || [ "$(id -u)" = 0 ] || {
        echo "the tests start a Docker Engine and read its files: run them as root, or with sudo" >&2
        exit 2
    }
    mkdir -p "$LOGS"
    if [ "$quick" = 0 ]; then
        raise_inotify
        # An engine that only the tests needed goes with them.
        docker version >/dev/null 2>&1 || engine_ran=0
    fi
    trap clean_up EXIT
    for stage in "$@"; do run_stage "$stage"; done

    echo "== all"
    printf '%s' "$names"
    printf '%s\n' "${summary[@]}"
    if [ "$SKIPPED" -gt 0 ] && [ "${CI:-}" = true ]; then
        echo "$SKIPPED skipped, which under CI=true is failed"
        FAILED=$((FAILED + SKIPPED))
    elif [ "$SKIPPED" -gt 0 ]; then
        echo "$SKIPPED skipped"
    fi
    trap - EXIT
    clean_up
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
}

main "$@"
