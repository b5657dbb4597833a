#!/usr/bin/env bash
# A folder that looks like DeepStream to the self-test: version file, headers, sample files and a
# plugin with stub elements, in the layout of one release.
#   build.sh RELEASE FOLDER [WRONG STRUCT]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
release=$1 folder=$2
export PYTHONDONTWRITEBYTECODE=1

mkdir -p "$folder/plugins" "$folder/layout" "$folder/samples/configs/deepstream-app"
printf 'Name: DeepStream\nVersion: %s\nGCID: 0\n' "$release" > "$folder/version"
echo '[property]' > "$folder/samples/configs/deepstream-app/config_infer_primary.txt"
python3 "$here/headers.py" "$release" "$folder/layout"
python3 "$here/headers.py" "$release" "$folder/sources/includes" "${@:3}"
read -ra flags < <(pkg-config --cflags --libs gstreamer-base-1.0 gstreamer-video-1.0)
cc -std=gnu11 -O1 -Wall -Wextra -Werror -shared -fPIC -DRELEASE="\"$release\"" -I"$folder/layout" -I"$here" \
    -o "$folder/plugins/libnvdsgst_multistream.so" "$here"/*.c "${flags[@]}" -ldl
