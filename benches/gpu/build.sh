#!/usr/bin/env bash
# Builds the peers that are no scripts, on the machine with the card and its CUDA.
#   build.sh DIR      into DIR
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
# The packed libraries are not for a compiler.
export LD_LIBRARY_PATH=${DSFRAME_GPU_OUTER_LIBRARY_PATH-}
nvcc -O3 -std=c++17 -o "$1/nvjpeg_loop" "$here/nvjpeg_loop.cpp" -lnvjpeg &
nvcc -O3 -std=c++17 -o "$1/pinned_read" "$here/pinned_read.cpp"
wait $!
