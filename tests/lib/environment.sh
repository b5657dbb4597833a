# shellcheck shell=bash
# The surroundings in which the tests run: this build only, a registry of its own, nothing inherited.

export CARGO_TARGET_DIR=$PWD/target
unset GST_PLUGIN_PATH GST_PLUGIN_PATH_1_0 GST_DEBUG GST_TRACERS DSFRAME_DISABLE_NVMM

# private_registry NAME: a plugin registry in target/, filled once, so that parallel tests only read it.
private_registry() {
    mkdir -p target/registry
    export GST_REGISTRY=$PWD/target/registry/$1.bin
    gst-inspect-1.0 >/dev/null 2>&1
}
