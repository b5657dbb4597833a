#!/usr/bin/env bash
# Captures into an object store: the tests of tests/object_store.rs, with a real S3 server of each
# test's own. Builds the crate with that feature, in the same folder as the others.
#   object-store.sh [ARGUMENTS OF cargo nextest run]
set -euo pipefail

cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/target
export PATH=$PATH:$PWD/target/tools/bin

# Builds with the oldest Rust that the crate supports.
server_version=0.14.1
command -v s3s-fs >/dev/null ||
    cargo install --debug --locked --root target/tools --features binary "s3s-fs@$server_version" ||
    {
        echo "skipped: captures into an object store: s3s-fs, the S3 server, cannot be installed" >&2
        exit 0
    }
G_DEBUG=fatal_warnings cargo nextest run --locked --features object-store --test object_store "$@"
