#!/usr/bin/env bash
# Builds the Debian package for the system that it runs on, looks at it with lintian where that is
# installed, and loads the plugin out of the unpacked package.
#   deb.sh [--no-build]       takes target/release/libgstdsframe.so as it is
# The package is then in target/debian/.
set -euo pipefail

cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/target
export PATH=$PATH:$PWD/target/tools/bin
cargo_deb_version=3.8.0

[[ $# -eq 0 || $* == --no-build ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
for command in dpkg-deb dpkg-shlibdeps gst-inspect-1.0; do
    command -v $command >/dev/null ||
        { echo "$command is missing: sudo apt-get install dpkg dpkg-dev gstreamer1.0-tools" >&2; exit 1; }
done
cargo deb --version >/dev/null 2>&1 ||
    cargo install --debug --locked --root target/tools cargo-deb@$cargo_deb_version

version=$(sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml)
grep -q "^gstreamer1.0-dsframe ($version-1)" packaging/debian-changelog ||
    { echo "packaging/debian-changelog does not begin with version $version-1 of Cargo.toml" >&2; exit 1; }

[[ $* == --no-build ]] || cargo build --locked --release --lib
[[ -e target/release/libgstdsframe.so ]] || { echo "There is no target/release/libgstdsframe.so" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo deb --no-build --locked --strip --multiarch same --output "$work/"
package=$(find "$work" -name 'gstreamer1.0-dsframe_*.deb')
mkdir -p target/debian
cp "$package" target/debian/

echo
dpkg-deb --info "$package"
dpkg-deb --contents "$package"
if command -v lintian >/dev/null; then
    # What is linked in is what Cargo.lock names; there is no bug to close in a first version.
    lintian --fail-on error --suppress-tags embedded-library,initial-upload-closes-no-bugs "$package"
else
    echo "skipped: lintian is not installed"
fi

dpkg-deb --extract "$package" "$work/root"
folder=$work/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/gstreamer-1.0
for element in dsframeinject dsframecapture; do
    env -u GST_PLUGIN_PATH_1_0 GST_REGISTRY="$work/registry.bin" GST_PLUGIN_PATH="$folder" \
        gst-inspect-1.0 $element > "$work/inspect"
    grep -q "Filename  *$folder/libgstdsframe.so" "$work/inspect" ||
        { echo "$element did not come from the package" >&2; exit 1; }
done
for file in copyright README.md.gz changelog.Debian.gz; do
    [[ -s $work/root/usr/share/doc/gstreamer1.0-dsframe/$file || -s $work/root/usr/share/doc/gstreamer1.0-dsframe/${file%.gz} ]] ||
        { echo "$file is missing in the package" >&2; exit 1; }
done
if dpkg-deb --field "$package" Depends | grep -qiE 'cuda|nvidia|nvjpeg'; then
    echo "The package depends on a library of NVIDIA's" >&2
    exit 1
fi
echo "target/debian/$(basename "$package") loads."
