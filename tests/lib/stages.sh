# shellcheck shell=bash
# Stage headers with the time gone, and a clear last line whatever happens.

stage_name=start
stage_started=$SECONDS

# stage NAME: closes the stage before it and begins the next.
stage() {
    [[ $stage_name == start ]] || echo "--- $stage_name: $((SECONDS - stage_started)) s"
    stage_name=$1
    stage_started=$SECONDS
    printf '\n=== %s  (%d s so far)\n' "$stage_name" "$SECONDS"
}

stages_end() {
    local status=$?
    if [[ $status -ne 0 ]]; then
        printf '\nFAILED in "%s" after %d s (exit status %d).\n' "$stage_name" "$SECONDS" "$status" >&2
    else
        echo "--- $stage_name: $((SECONDS - stage_started)) s"
        printf '\nAll stages passed in %d s.\n' "$SECONDS"
    fi
}
trap stages_end EXIT
