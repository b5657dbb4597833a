#!/usr/bin/env bash
# What the built plugin asks of a machine: glibc 2.35 (Ubuntu 22.04, DeepStream 6.4) or older, the
# GStreamer libraries, and nothing of NVIDIA's. And what it shows: the plugin's entry points only.
#   check-symbols.sh LIBRARY
set -euo pipefail

library=$1
newest_glibc=2.35
failed=0

allowed='^(libgst(reamer|base|video|app|audio|allocators|pbutils)-1\.0\.so\.0|lib(glib|gobject|gio|gmodule)-2\.0\.so\.0|lib(c|m|dl|pthread|rt)\.so\.[0-9]+|libgcc_s\.so\.1|ld-linux-(x86-64|aarch64)\.so\.[0-9]+)$'
needed=$(readelf --dynamic --wide "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "needs: ${needed//$'\n'/ }"
if unexpected=$(grep -Ev "$allowed" <<<"$needed"); then
    echo "Not expected among the needed libraries: $unexpected" >&2
    failed=1
fi

# Symbols of a newer glibc than allowed. Weak ones may be missing, the library starts without them.
too_new=$(objdump -T "$library" | awk -v limit="$newest_glibc" '
    /\*UND\*/ && match($0, /GLIBC_[0-9.]+/) {
        version = substr($0, RSTART + 6, RLENGTH - 6)
        split(version, v, "."); split(limit, l, ".")
        weak = ($2 == "w")
        if (!weak && (v[1] > l[1] || (v[1] == l[1] && v[2] + 0 > l[2] + 0))) print $NF "@" version
    }')
if [[ -n $too_new ]]; then
    here=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
    echo "Newer than glibc $newest_glibc: ${too_new//$'\n'/ }" >&2
    # A build on Debian 12 or Ubuntu 22.04 decides; a newer system puts its own versions in.
    if [[ $(printf '%s\n2.36\n' "$here" | sort -V | tail -n 1) == 2.36 ]]; then
        failed=1
    else
        echo "This system has glibc $here: the library is good here, and for older systems it has to be" >&2
        echo "built on an older one (Debian 12, Ubuntu 22.04)." >&2
    fi
else
    echo "glibc: $newest_glibc or older is enough"
fi

exported=$(objdump -T "$library" | awk '$0 !~ /\*UND\*/ && /\.text|\.data|\.rodata|\.bss/ { print $NF }')
if ! grep -q '^gst_plugin_dsframe_get_desc$' <<<"$exported"; then
    echo "gst_plugin_dsframe_get_desc is not exported: GStreamer cannot load this." >&2
    failed=1
fi
if unexpected=$(grep -v '^gst_plugin_dsframe_' <<<"$exported"); then
    echo "Exported besides the plugin's entry points: ${unexpected//$'\n'/ }" >&2
    failed=1
fi

exit $failed
