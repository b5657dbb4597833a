#!/usr/bin/env bash
# Runs the GPU tests and benchmarks on the machine with the card, from the folder that pack.sh made,
# and prints one table last. A stage that fails or takes too long does not keep the others from
# running; the exit status tells.
#   run.sh [tests|bench|all]
#   DSFRAME_GPU_ROWS=REGEX      only these rows of the benchmarks, and none of the tests with `all`
#   DSFRAME_GPU_TEST=FILTER     only the tests whose name has this in it
#   DSFRAME_GPU_LOGS=DIR        where the whole output of each stage goes
set -uo pipefail

what=${1:-all}
case $what in tests | bench | all) ;; *) echo "run.sh [tests|bench|all]" >&2; exit 2 ;; esac
rows=${DSFRAME_GPU_ROWS-}
filter=${DSFRAME_GPU_TEST-}
if [[ -n $rows && $what == all ]]; then what=bench; fi

packed=$(cd "$(dirname "$0")" && pwd)
if [[ ! -f $packed/packed.tar.gz ]]; then packed=$packed/../../.gpu; fi
if [[ $packed/packed.tar.gz -nt $packed/packed/env.sh ]]; then
    rm -rf "$packed/packed"
    mkdir "$packed/packed" && tar -C "$packed/packed" -xmzf "$packed/packed.tar.gz" || exit 2
fi
packed=$packed/packed
# shellcheck source=/dev/null
. "$packed/env.sh" || { echo "pack.sh has not been run" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=${DSFRAME_GPU_LOGS:-$work/logs}
mkdir -p "$logs"
export DSFRAME_GPU_RESULTS=$work/results.tsv
: > "$DSFRAME_GPU_RESULTS"
failed=0

# row NAME OURS PEER RATIO GOAL MET: a line of the table.
row() {
    local IFS=$'\t'
    printf '%s\n' "$*" >> "$DSFRAME_GPU_RESULTS"
}

# stage NAME SECONDS COMMAND...: returns the status of the command; 124 if it took too long.
stage() {
    local name=$1 limit=$2 begun=$SECONDS status
    shift 2
    printf '\n=== %s (at most %d s)\n' "$name" "$limit"
    timeout --kill-after=5 "$limit" "$@" 2>&1 | tee "$logs/${name// /-}.log"
    status=${PIPESTATUS[0]}
    if [[ $status -eq 137 ]]; then status=124; fi
    printf -- '--- %s: status %d, %d s\n' "$name" "$status" $((SECONDS - begun))
    if [[ $status -ne 0 ]]; then failed=1; fi
    return "$status"
}

verdict() {
    case $1 in 0) echo yes ;; 124) echo "no: out of time" ;; *) echo "no: status $1" ;; esac
}

# names ARGUMENTS...: of tests.
names() {
    "$packed/bin/gpu-tests" --list "$@" | sed -n 's/: test$//p'
}

# test_stage NAME SECONDS PARALLEL: the tests whose names are on stdin.
test_stage() {
    local name=$1 limit=$2 parallel=$3 status
    # The program has the elements in it: a plugin beside it would be another version of them.
    stage "$name" "$limit" env -u GST_PLUGIN_PATH DSFRAME_GPU_TESTS=1 RUST_BACKTRACE=1 \
        G_DEBUG=fatal_warnings "$packed/each.sh" "$packed/bin/gpu-tests" "$parallel"
    status=$?
    row "$name" "$(grep -E '^[0-9]+ passed, ' "$logs/${name// /-}.log" | tail -n 1)" \
        "" "" "all pass" "$(verdict $status)"
}

# The Python package, with a card and with torch.
python_stage() {
    local status
    if ! python3 -c 'import numpy' 2>/dev/null; then
        row "Python on the card" "no NumPy here" "" "" "all pass" "not run"
        return
    fi
    stage "Python" 90 env PYTHONPATH="$packed/python" PYTHONDONTWRITEBYTECODE=1 \
        python3 -m unittest discover -v -s "$packed/python/tests" -p 'test_c[hu]*.py'
    status=$?
    row "Python on the card" "$(grep -E '^(Ran|OK|FAILED)' "$logs/Python.log" | tr '\n' ' ')" \
        "" "" "all pass" "$(verdict $status)"
}

# sanitizer_stage TOOL: over our kernels; nvJPEG's are not ours to check.
sanitizer_stage() {
    local tool=$1 status
    stage "$tool" 150 env -u GST_PLUGIN_PATH DSFRAME_GPU_TESTS=1 DSFRAME_GPU_SHORT=1 \
        DSFRAME_DISABLE_NVJPEG=1 \
        compute-sanitizer --tool "$tool" --report-api-errors no --error-exitcode 9 \
        "$packed/bin/gpu-tests" --test-threads=1 ::short:: convert::formats annotate::annotations
    status=$?
    row "compute-sanitizer $tool" \
        "$(grep -hE 'ERROR SUMMARY|RACECHECK SUMMARY' "$logs/$tool.log" | tail -n 1 | sed 's/=* *//')" \
        "" "" "no errors" "$(verdict $status)"
}

run_tests() {
    if [[ -n $filter ]]; then
        names "$filter" | test_stage "tests" 200 4
        return
    fi
    # Those that take all of the card's memory, or measure it, want to be alone.
    names --skip ::alone:: | test_stage "tests" 180 8
    names ::alone:: | test_stage "tests alone on the card" 90 1
    python_stage
    if command -v compute-sanitizer >/dev/null; then
        for tool in memcheck racecheck; do sanitizer_stage "$tool"; done
    else
        row "compute-sanitizer" "not here" "" "" "no errors" "not run"
    fi
}

run_bench() {
    local status
    export DSFRAME_GPU_PROGRAMS=$work
    stage "build the peers" 120 "$packed/peers/build.sh" "$work" ||
        row "build the peers" "" "" "" "" "no"
    stage "bench" 290 env -u GST_PLUGIN_PATH DSFRAME_GPU_ROWS="$rows" "$packed/bin/gpu-bench"
    status=$?
    if [[ $status -ne 0 ]]; then row "bench" "" "" "" "all rows run" "$(verdict $status)"; fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv,noheader ||
    echo "no nvidia-smi here"
# Filled once, so that the tests only read it.
gst-inspect-1.0 >/dev/null 2>&1

case $what in
    tests) run_tests ;;
    bench) run_bench ;;
    all) run_tests; run_bench ;;
esac

printf '\n%d s in all\n\n' "$SECONDS"
{
    printf 'row\tours\tpeer/ceiling\tratio\tgoal\tmet\n'
    cat "$DSFRAME_GPU_RESULTS"
} | awk -F'\t' '
    { for (i = 1; i <= 6; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
    END {
        for (r = 1; r <= NR; r++) {
            line = ""
            for (i = 1; i <= 6; i++) line = line sprintf("%-" width[i] "s%s", cell[r, i], i < 6 ? " | " : "")
            print line
        }
    }'
# A missed goal is a figure, not a fault: only what did not run fails.
exit "$failed"
