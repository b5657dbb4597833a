#!/usr/bin/env bash
# The second of the two commands: installs what is missing, then runs every check and test.
# It stops at the first failure. From nothing it takes about 40 minutes on two cores.
set -euo pipefail

cd "$(dirname "$0")/.."
. gst-launch-examples/lib/setup.sh
. tests/lib/stages.sh

# Both build with the oldest Rust that the crate supports.
nextest_version=0.9.143
deny_version=0.20.2

stage "set-up"
install_missing build_requirements test_requirements
install_optional optional_requirements
require_gstreamer
require_rust
. tests/lib/environment.sh
# Into target/, and unoptimised: that halves the minutes they take to build.
export PATH=$PATH:$PWD/target/tools/bin
cargo nextest --version >/dev/null 2>&1 ||
    cargo install --debug --locked --root target/tools \
        --no-default-features --features default-no-update cargo-nextest@$nextest_version
cargo deny --version >/dev/null 2>&1 ||
    cargo install --debug --locked --root target/tools --no-default-features cargo-deny@$deny_version
# Others' readers of label files. The tests that ask them say so and go on without.
readers=target/readers
if ! "$readers/bin/python" -c 'import numpy, pycocotools' 2>/dev/null; then
    { python3 -m venv "$readers" &&
        "$readers/bin/pip" install --quiet --disable-pip-version-check \
            numpy pycocotools==2.0.11; } ||
        echo "skipped: label files are not read by pycocotools and numpy: they cannot be installed" >&2
fi
rustc --version
gst-inspect-1.0 --version | sed -n 1p

stage "format"
cargo fmt --check
cargo fmt --manifest-path fuzz/Cargo.toml --check

stage "clippy"
for features in "" "--no-default-features" "--all-features"; do
    # shellcheck disable=SC2086
    cargo clippy --locked --all-targets $features -- -D warnings
done

stage "licences and duplicates"
# Not `check advisories`: its database is fetched from the network, which the tests must do without.
cargo deny --locked check licenses bans sources
# The fuzz targets are a workspace of their own.
cargo deny --locked --manifest-path fuzz/Cargo.toml --config fuzz/deny.toml check licenses sources

stage "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

stage "scripts"
mapfile -t scripts < <(git ls-files '*.sh' .ci/run 2>/dev/null || find . -name '*.sh' -not -path './target/*')
if command -v shellcheck >/dev/null; then
    shellcheck -x "${scripts[@]}"
else
    for script in "${scripts[@]}"; do bash -n "$script"; done
    echo "shellcheck is not here: the syntax was checked, nothing more."
fi

stage "tests"
private_registry tests
G_DEBUG=fatal_warnings cargo nextest run --locked -E 'not binary(twins)'
G_DEBUG=fatal_warnings cargo test --locked --doc -q

stage "object store"
tests/object-store.sh

stage "Python"
tests/python.sh "$readers/bin/python"

stage "live page"
tests/page.sh

stage "DeepStream twins (parsed, not run)"
G_DEBUG=fatal_warnings cargo nextest run --locked --test twins

stage "release build"
cargo build --locked --release --lib

stage "symbols"
tests/check-symbols.sh target/release/libgstdsframe.so

stage "faults, briefly"
private_registry faults
GST_PLUGIN_PATH=$PWD/target/release PYTHONDONTWRITEBYTECODE=1 python3 tests/faults/night.py --seconds 20

stage "meson"
tests/meson.sh

stage "examples"
private_registry examples
tests/examples.sh

stage "GPU"
private_registry gpu
tests/gpu/local.sh
