#!/usr/bin/env bash
# Called by meson.build: builds the plugin with cargo and copies it where meson expects it.
#   cargo-build.sh CARGO SOURCE_DIR TARGET_DIR PROFILE OUTPUT
# CARGO_TARGET_DIR, where it is set, wins over TARGET_DIR: what is built there already is used.
set -euo pipefail

cargo=$1 source=$2 target=${CARGO_TARGET_DIR:-$3} profile=$4 output=$5

folder=$profile
[[ $profile != dev ]] || folder=debug

"$cargo" build --locked --lib --manifest-path "$source/Cargo.toml" --target-dir "$target" --profile "$profile"
cp "$target/$folder/libgstdsframe.so" "$output"
