# shellcheck shell=bash
# What the two set-up commands share: finding out what is missing, and installing it.
#
# Each requirement is a check and the package that satisfies it. apt-get is asked only for what a
# check found missing, so a complete machine needs neither a network nor root.

# check_requirement KIND:NAME
check_requirement() {
    local what=${1#*:}
    case $1 in
        command:*) command -v "$what" >/dev/null ;;
        library:*) pkg-config --exists "$what" 2>/dev/null ;;
        element:*) gst-inspect-1.0 --exists "$what" >/dev/null 2>&1 ;;
        # The distribution's own Python: apt-get installs for no other.
        python:*) /usr/bin/python3 -c "import gi; gi.require_version('$what', '1.0')" 2>/dev/null ;;
        *) echo "unknown requirement $1" >&2; return 2 ;;
    esac
}

# The compiler, the GStreamer headers and the tools: enough to build and run the plugin.
build_requirements() {
    cat <<'LIST'
command:cc                    build-essential
command:make                  build-essential
command:cmake                 cmake
command:nasm                  nasm
command:pkg-config            pkg-config
library:gstreamer-1.0         libgstreamer1.0-dev
library:gstreamer-check-1.0   libgstreamer1.0-dev
library:gstreamer-video-1.0   libgstreamer-plugins-base1.0-dev
command:gst-launch-1.0        gstreamer1.0-tools
element:videoconvert          gstreamer1.0-plugins-base
LIST
}

# What the examples and the tests use besides.
test_requirements() {
    cat <<'LIST'
element:compositor            gstreamer1.0-plugins-base
element:vp8enc                gstreamer1.0-plugins-good
element:webmmux               gstreamer1.0-plugins-good
element:mp4mux                gstreamer1.0-plugins-good
element:jpegdec               gstreamer1.0-plugins-good
element:h264parse             gstreamer1.0-plugins-bad
element:x264enc               gstreamer1.0-plugins-ugly
command:ffmpeg                ffmpeg
command:python3               python3
command:meson                 meson
command:ninja                 ninja-build
command:objdump               binutils
command:shellcheck            shellcheck
command:c++                   build-essential
LIST
}

# Makes one test richer each; nothing fails without them.
optional_requirements() {
    cat <<'LIST'
element:avdec_h264            gstreamer1.0-libav
library:libjpeg               libjpeg-dev
python:Gst                    python3-gi
python:Gst                    gir1.2-gstreamer-1.0
command:chromium              chromium
LIST
}

# missing_packages: reads requirements, prints the packages of those that do not hold, once each.
missing_packages() {
    local requirement package
    while read -r requirement package; do
        check_requirement "$requirement" || echo "$package"
    done | sort -u
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "Root is needed for: $*" >&2
        echo "There is no sudo here. Run that command as root, then this one again." >&2
        return 1
    fi
}

# install_missing FUNCTION...: installs what the requirements printed by the functions lack.
install_missing() {
    local packages function
    mapfile -t packages < <(for function in "$@"; do "$function"; done | missing_packages)
    [[ ${#packages[@]} -gt 0 ]] || return 0

    echo "Missing here: ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "There is no apt-get: install what provides these Debian packages, then run this again." >&2
        return 1
    fi
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"

    mapfile -t packages < <(for function in "$@"; do "$function"; done | missing_packages)
    if [[ ${#packages[@]} -gt 0 ]]; then
        echo "Still missing after the installation: ${packages[*]}" >&2
        return 1
    fi
}

# install_optional FUNCTION: the same, and a failure is only a line. One package after the other: apt-get
# installs none of several if there is one that the distribution does not have.
install_optional() {
    local packages package
    mapfile -t packages < <("$1" | missing_packages)
    [[ ${#packages[@]} -gt 0 ]] || return 0

    echo "Missing here, and not needed: ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "There is no apt-get. Going on without them."
        return 0
    fi
    if ! as_root apt-get update -q; then
        echo "Going on without them."
        return 0
    fi
    for package in "${packages[@]}"; do
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" ||
            echo "$package cannot be had here. Going on without it."
    done
}

# require_rust: cargo of the version that Cargo.toml asks for, or a clear way to it.
require_rust() {
    local needed found how
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    how="  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
  . \"\$HOME/.cargo/env\""

    if ! command -v cargo >/dev/null && [[ -f $HOME/.cargo/env ]]; then
        # shellcheck disable=SC1091
        . "$HOME/.cargo/env"
    fi
    if ! command -v cargo >/dev/null; then
        printf 'Rust %s or newer is needed and cargo was not found. Install it with\n%s\nthen run this again.\n' \
            "$needed" "$how" >&2
        return 1
    fi
    found=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
    if [[ $(printf '%s\n' "$needed" "$found" | sort -V | sed -n 1p) != "$needed" ]]; then
        if command -v rustup >/dev/null; then
            how='  rustup update stable && rustup default stable'
        fi
        printf 'Rust %s or newer is needed and this is %s. Get it with\n%s\nthen run this again.\n' \
            "$needed" "$found" "$how" >&2
        return 1
    fi
}

# require_gstreamer: the libraries found are new enough.
require_gstreamer() {
    if ! pkg-config --atleast-version=1.20 gstreamer-1.0; then
        echo "GStreamer 1.20 or newer is needed and this is $(pkg-config --modversion gstreamer-1.0)." >&2
        return 1
    fi
}
