#!/usr/bin/env bash
# Runs tests of the packed program, each in a process of its own, so that one that crashes or hangs
# takes no other with it. Prints a line for each, all that a failed one said, and a summary last.
#   each.sh PROGRAM PARALLEL < NAMES
#   each.sh --one PROGRAM NAME
set -uo pipefail

limit=75

if [[ $1 == --one ]]; then
    program=$2 name=$3
    begun=$EPOCHREALTIME
    output=$(timeout --kill-after=5 $limit "$program" --exact "$name" --nocapture --test-threads=1 2>&1)
    status=$?
    spent=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')
    if [[ $status -ne 0 ]]; then
        [[ $status -ne 124 ]] || output+=$'\n'"not done in $limit s"
        printf 'FAILED   %s (%s, status %d)\n%s\n\n' "$name" "$spent" "$status" "$output"
    elif reason=$(grep -o 'skipped: .*' <<<"$output"); then
        printf 'skipped  %s: %s\n' "$name" "${reason#skipped: }"
    else
        printf 'ok       %s (%s)\n' "$name" "$spent"
    fi
    exit 0
fi

program=$1 parallel=$2
# One write for each, so that lines do not mix.
xargs -P "$parallel" -I '{}' "$0" --one "$program" '{}' |
    awk '{ print; fflush() }
        /^ok       / { ok++ }
        /^skipped  / { skipped++ }
        /^FAILED   / { failed++ }
        END {
            printf "%d passed, %d failed, %d skipped\n", ok, failed, skipped
            exit failed > 0 || ok + skipped == 0
        }'
