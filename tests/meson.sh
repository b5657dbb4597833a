#!/usr/bin/env bash
# meson setup, compile and install, for real, into a temporary prefix; the plugin then loads from there.
set -euo pipefail

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
version=$(sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml)
grep -q "version: '$version'" meson.build || { echo "meson.build does not have version $version of Cargo.toml" >&2; exit 1; }

meson setup "$work/build" --prefix="$work/prefix"
meson compile -C "$work/build"
meson install -C "$work/build"

plugin=$(find "$work/prefix" -name libgstdsframe.so)
echo "installed: ${plugin#"$work/"}"
for element in dsframeinject dsframecapture; do
    env GST_REGISTRY="$work/registry.bin" GST_PLUGIN_PATH="$(dirname "$plugin")" \
        gst-inspect-1.0 "$element" > "$work/inspect"
    grep -q "Filename  *$plugin" "$work/inspect" || { echo "$element did not come from $plugin" >&2; exit 1; }
done

# Without a prefix the plugin goes to GStreamer's own directory; with the option, anywhere.
meson setup "$work/plain" > "$work/log"
grep -q "plugin directory: $(pkg-config --variable=pluginsdir gstreamer-1.0)\$" "$work/log"
meson setup "$work/option" -Dplugins-dir=/opt/plugins > "$work/log"
grep -q 'plugin directory: /opt/plugins$' "$work/log"
