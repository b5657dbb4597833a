#!/usr/bin/env bash
# What takes longer than tests/run.sh may: soak, kills by the hundred, state cycles by the thousand,
# an hour of fuzzing, an hour of frames across processes, a night of faults. Figures and their date go to docs/. One stage only: tests/long.sh STAGE.
set -euo pipefail

cd "$(dirname "$0")/.."
. gst-launch-examples/lib/setup.sh
. tests/lib/stages.sh
require_rust
. tests/lib/environment.sh

only=${1:-}
# Builds with the oldest Rust that the crate supports.
fuzz_version=0.13.2

# long NAME FILTER: the tests that the filter names, with DSFRAME_LONG=1, which raises their counts.
long() {
    [[ -z $only || $only == "$1" ]] || return 0
    stage "$1"
    DSFRAME_LONG=1 G_DEBUG=fatal_warnings cargo nextest run --locked --release --profile long \
        --no-tests=warn -E "$2"
}

# fuzz: every target for DSFRAME_FUZZ_SECONDS, an hour altogether unless that is set. Goes through all of
# them, and fails at the end if one has found something.
fuzz() {
    [[ -z $only || $only == fuzz ]] || return 0
    stage fuzz
    export PATH=$PATH:$PWD/target/tools/bin
    [[ $(cargo fuzz --version 2>/dev/null) == "cargo-fuzz $fuzz_version" ]] ||
        cargo install --debug --locked --root target/tools "cargo-fuzz@$fuzz_version"
    local targets target seconds logs=target/fuzz failed=()
    mapfile -t targets < <(cargo fuzz list --fuzz-dir fuzz)
    seconds=${DSFRAME_FUZZ_SECONDS:-$((3600 / ${#targets[@]}))}
    mkdir -p "$logs"
    export LSAN_OPTIONS=suppressions=$PWD/fuzz/lsan.supp:print_suppressions=0
    # The sanitiser's options are of the nightly toolchain; its library comes with the stable one.
    RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir fuzz
    for target in "${targets[@]}"; do
        # What is found new is kept in target/, and not in the corpus that is committed.
        mkdir -p "$logs/$target"
        echo "$target: $seconds s"
        RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz "$target" \
            "$logs/$target" "fuzz/corpus/$target" -- \
            -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            >"$logs/$target.log" 2>&1 || failed+=("$target")
        fuzz_figures "$target" "$logs/$target.log"
    done
    if [[ ${#failed[@]} -ne 0 ]]; then
        echo "found something: ${failed[*]}; the inputs are in fuzz/artifacts, the reports in $logs" >&2
        return 1
    fi
}

# fuzz_figures TARGET LOG: executions, edges covered and crashes, from what libFuzzer has written.
fuzz_figures() {
    awk -v target="$1" '
        /^#[0-9]+/ { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1); last = substr($1, 2) }
        /^stat::number_of_executed_units:/ { executions = $2 }
        /ERROR: (libFuzzer|AddressSanitizer|LeakSanitizer)/ { crashes++ }
        END {
            printf "%s: %d executions, %d edges covered, %d crashes\n",
                target, executions ? executions : last, edges, crashes
        }' "$2"
}

# channels: DSFRAME_KILLS processes at the ends of channels are killed, and one sends to two others for
# DSFRAME_SOAK_SECONDS. Prints how long that went well and what it took up.
channels() {
    [[ -z $only || $only == channels ]] || return 0
    stage channels
    DSFRAME_KILLS=${DSFRAME_KILLS:-200} DSFRAME_SOAK_SECONDS=${DSFRAME_SOAK_SECONDS:-3600} \
        G_DEBUG=fatal_warnings cargo test --locked --release --test channel -- \
        --nocapture --test-threads=1 kills:: soak::
}

# faults: pipelines post to a server full of faults and are ended in every way, for DSFRAME_NIGHT_SECONDS.
# Prints what arrived, and what it took up.
faults() {
    [[ -z $only || $only == faults ]] || return 0
    stage faults
    cargo build --locked --release --lib
    GST_PLUGIN_PATH=$PWD/target/release PYTHONDONTWRITEBYTECODE=1 \
        python3 tests/faults/night.py --seconds "${DSFRAME_NIGHT_SECONDS:-28800}"
}

private_registry long
long soak 'test(/soak|memory_flat/)'
long kills 'test(/kill/)'
long states 'test(/state_cycles|pause_play/)'
long inputs 'test(/proptest|fuzz|property/)'
long threads 'test(/^threads::/)'
channels
faults
fuzz
