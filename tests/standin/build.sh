#!/usr/bin/env bash
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Builds the stand-in for libcuda into target/standin; `--test` also runs its own tests.
set -euo pipefail

cd "$(dirname "$0")/../.."
here=tests/standin
out=target/standin
compiler=${CXX:-g++}
flags=(-std=c++17 -O2 -g1 -fPIC -fvisibility=hidden -Wall -Wextra)
# Floats as NVRTC makes them with --fmad=false. What a GPU would fault on, or compute differently,
# traps instead of passing silently.
kernel_flags=(-ffp-contract=off -fno-strict-aliasing -Wno-unused -Wno-parentheses
    -fsanitize=alignment -fsanitize=bounds
    -fsanitize=integer-divide-by-zero -fsanitize=float-cast-overflow
    -fsanitize-undefined-trap-on-error)

mkdir -p $out
# Tests may start several of these at once.
exec 9>$out/.lock
flock 9

# Whether $1 is missing or older than one of the others.
stale() {
    local target=$1 source
    shift
    [ -e "$target" ] || return 0
    for source; do
        [ "$source" -nt "$target" ] && return 0
    done
    return 1
}

# A kernel in a namespace of its own, as nothing else keeps helpers of the same name apart.
wrap() {
    local name=$1 source=$2 entry
    echo "namespace kernels_$name {"
    echo "#include \"$name.cu\""
    sed 's://.*::' "$source" | tr '\n' ' ' |
        grep -oE '__global__[^;{]* void +\w+ *\(' | sed -E 's/.* void +(\w+) *\($/\1/' |
        while read -r entry; do
            echo "Registration<$entry> register_$entry(\"$entry\");"
        done
    echo "} // namespace"
}

jobs=()
objects=()
start() {
    "$@" &
    jobs+=($!)
}
for source in kernels/*.cu tests/standin/*.cu; do
    name=$(basename "$source" .cu)
    object=$out/kernel_$name.o
    objects+=("$object")
    if stale "$object" "$source" kernels/*.h $here/kernel.h $here/build.sh; then
        wrap "$name" "$source" >$out/kernel_"$name".cpp
        start "$compiler" "${flags[@]}" "${kernel_flags[@]}" -include $here/kernel.h -I kernels -I $here \
            -c -o "$object" $out/kernel_"$name".cpp
    fi
done
for name in memory work libcuda virtual gstreamer; do
    object=$out/$name.o
    objects+=("$object")
    if stale "$object" $here/$name.cpp $here/*.h $here/build.sh; then
        start "$compiler" "${flags[@]}" -c -o "$object" $here/$name.cpp
    fi
done
for job in "${jobs[@]}"; do
    wait "$job"
done

library=$out/libcuda.so.1
# The list changes when a kernel goes.
printf '%s\n' "${objects[@]}" >$out/objects.new
cmp -s $out/objects.new $out/objects || cp $out/objects.new $out/objects
if stale $library "${objects[@]}" $out/objects; then
    "$compiler" -shared -pthread -Wl,-soname,libcuda.so.1 -o $library.new "${objects[@]}"
    mv $library.new $library
    # Programs ask for this name first, and must not find a real one.
    ln -sf libcuda.so.1 $out/libcuda.so
fi

nvjpeg=$out/libnvjpeg.so.12
if [ ! -e /usr/include/jpeglib.h ]; then
    echo "no stand-in for nvJPEG: libjpeg's header is not here (libjpeg-dev)" >&2
elif stale $nvjpeg $here/nvjpeg.cpp $here/cuda.h $here/build.sh; then
    "$compiler" "${flags[@]}" -shared -Wl,-soname,libnvjpeg.so.12 -o $nvjpeg.new $here/nvjpeg.cpp \
        -L $out -lcuda -ljpeg
    mv $nvjpeg.new $nvjpeg
fi

if [ "${1:-}" = --test ]; then
    if stale $out/selftest $library $here/selftest.cpp $here/*.h; then
        "$compiler" "${flags[@]}" -o $out/selftest $here/selftest.cpp -L $out -lcuda -pthread
    fi
    LD_LIBRARY_PATH=$out $out/selftest
    LD_LIBRARY_PATH=$out DSFRAME_STANDIN_STRICT=0 $out/selftest
fi
