#!/usr/bin/env bash
# Makes a fresh Debian-like machine ready, part by part. Silent and quick when all is in place.
#
#   tools/setup.sh [part ...]
#
#   python      .venv with this project, the emulated Pico, flashing and test packages
#   toolchain   compilers for the boards and for this machine, from the distribution
#   image       the MicroPython image of the Pico (tools/firmware), with the toolchain only if it must be built
#   native      the native modules for every chip (tools/native), with python and toolchain
#   broker      mosquitto for the tests; its service is left off
#   engines     InfluxDB 1.x, VictoriaMetrics and Prometheus for the tests; their services are left off
#   (none)      python and image
#
# What it fetches and builds goes to .venv and .cache; the whole story to .cache/setup.log. It may also be sourced, with
# its parts named (else bash hands it the parameters of the sourcing script).

# A subshell, so that nothing set here reaches a shell that sources this file.
_fluksometer_setup() (
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
cache=$root/.cache
log=$cache/setup.log
stamps=$cache/stamps
tag=$(cat micropython.tag)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

# step TEXT COMMAND...: one line with the seconds it took; its output goes to the log, the end of it is shown on failure.
step() {
    local text=$1 began=$SECONDS from
    shift
    printf 'setup: %s ... ' "$text" >&2
    printf '\n== %s\n$ %s\n' "$text" "$*" >>"$log"
    from=$(wc -c <"$log")
    if "$@" >>"$log" 2>&1 </dev/null 9>&-; then
        printf '%d s\n' $((SECONDS - began)) >&2
    else
        printf 'failed after %d s\n' $((SECONDS - began)) >&2
        tail -c "+$((from + 1))" "$log" | tail -n 25 >&2
        fail "the whole log is $log"
    fi
}

# as_root COMMAND...: through sudo where we are not root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# apt_install PACKAGE...: from the distribution; the package lists are only updated when they do not know a package.
apt_install() {
    command -v apt-get >/dev/null ||
        fail "no apt-get here. Install what Debian calls: $*" "and run this again."
    say "installing from the distribution: $*"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "no sudo here. As root: apt-get install $*"
        sudo -n true 2>/dev/null || sudo -v || fail "As root: apt-get install $*"
    fi
    step "installing ($# packages)" apt_get_install "$@"
}

apt_get_install() {
    local package known=yes
    for package in "$@"; do
        apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || known=no
    done
    if [ $known = yes ] && apt_get install "$@"; then
        return
    fi
    apt_get update && apt_get install "$@" # the lists were missing, or so old that the files behind them are gone
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@"; }

# --- python ---------------------------------------------------------------------------------------------------------

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# What the installation depends on. The root is in it because a virtual environment does not survive a move.
python_stamp() {
    { printf '%s\n' "$root"; cat pyproject.toml setup.py native/build_cffi.py native/*/*.c native/*/*.h 2>/dev/null || true; } |
        sha256sum | cut -d' ' -f1
}

python_in_place() {
    [ -x .venv/bin/python ] && [ -x .venv/bin/fluksometer ] && [ -f "$stamps/python" ] &&
        [ "$(cat "$stamps/python")" = "$(python_stamp)" ]
}

build_requires='import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))'

python_packages() {
    local python=$1 packages=()
    "$python" -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
    command -v gcc >/dev/null || packages+=(gcc libc6-dev)
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || packages+=(python3-dev)
    printf '%s\n' ${packages[@]+"${packages[@]}"}
}

setup_python() {
    local python stamp packages
    python=$(find_python) || fail "Python 3.11 or newer is needed; python3 here is $(python3 -V 2>/dev/null || echo missing)." \
        "Install one (apt-get install python3.11 python3.11-venv python3.11-dev, where the distribution has it)," \
        "or point PYTHON to one, and run this again."
    mapfile -t packages < <(python_packages "$python" | sed '/^$/d')
    if [ ${#packages[@]} -gt 0 ]; then
        apt_install "${packages[@]}"
        [ -z "$(python_packages "$python")" ] || fail "$python still lacks: $(python_packages "$python" | tr '\n' ' ')" \
            "For a Python beside the distribution's own, install its -venv and -dev packages, for example python3.12-venv."
    fi
    stamp=$(python_stamp)
    if ! [ -x .venv/bin/python ] || ! .venv/bin/python -m pip --version 2>/dev/null | grep -qF "$root/.venv/"; then
        say "making .venv with $("$python" -V)"
        step "virtual environment" "$python" -m venv --clear .venv
    fi
    say "installing Python packages into .venv: this project with its extras emulator, flash, test"
    mapfile -t packages < <(.venv/bin/python -c "$build_requires")
    step "build packages" .venv/bin/python -m pip install --disable-pip-version-check "${packages[@]}"
    step "this project and what it needs (a minute or two at first)" \
        .venv/bin/python -m pip install --disable-pip-version-check --no-build-isolation -e '.[emulator,flash,test]'
    printf '%s' "$stamp" >"$stamps/python"
}

# --- toolchain ------------------------------------------------------------------------------------------------------

toolchain_missing() {
    command -v arm-none-eabi-gcc >/dev/null || echo gcc-arm-none-eabi
    { command -v arm-none-eabi-gcc && [ -e "$(arm-none-eabi-gcc -print-file-name=libc.a)" ]; } >/dev/null ||
        echo libnewlib-arm-none-eabi
    command -v gcc >/dev/null || echo gcc libc6-dev
    command -v cmake >/dev/null || echo cmake
    command -v ninja >/dev/null || echo ninja-build
    command -v make >/dev/null || echo make
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
}

toolchain_in_place() { [ -z "$(toolchain_missing)" ]; }

setup_toolchain() {
    local packages
    read -ra packages < <(toolchain_missing | tr '\n' ' ') || true
    apt_install "${packages[@]}"
}

# --- image and native modules ---------------------------------------------------------------------------------------

image_in_place() { [ -f "${FLUKSOMETER_IMAGE:-$cache/firmware/RPI_PICO-$tag.uf2}" ]; }

setup_image() {
    local python status=0
    python=$(find_python) || fail "tools/firmware needs Python 3.11 or newer."
    "$python" tools/firmware --no-build >/dev/null || status=$?
    [ "$status" != 0 ] || return 0
    [ "$status" = 3 ] || exit 1
    ensure toolchain
    "$python" tools/firmware --no-download >/dev/null || exit 1 # it was just asked for
}

native_in_place() { [ -x .venv/bin/python ] && .venv/bin/python tools/native --check 2>/dev/null; }

setup_native() {
    ensure python
    ensure toolchain
    .venv/bin/python tools/native || exit 1
}

# --- broker ---------------------------------------------------------------------------------------------------------

broker_in_place() {
    local path=$PATH:/usr/sbin:/sbin
    PATH=$path command -v mosquitto >/dev/null && PATH=$path command -v mosquitto_pub >/dev/null
}

# Debian starts a service when it is installed. The tests start servers of their own, so a new one stays off; one that
# was here before is left as it is.
install_without_services() {
    local policy=/usr/sbin/policy-rc.d package
    if ! [ -e "$policy" ]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    apt_install "$@"
    if [ -d /run/systemd/system ]; then
        for package in "$@"; do
            step "leaving the service of $package off" as_root systemctl disable --now "$package"
        done
    fi
}

install_broker() {
    if PATH=$PATH:/usr/sbin command -v mosquitto >/dev/null; then
        apt_install mosquitto-clients
        return
    fi
    apt_install mosquitto-clients
    install_without_services mosquitto
}

setup_broker() { (install_broker); }

# --- time-series engines --------------------------------------------------------------------------------------------

engines_missing() {
    command -v influxd >/dev/null || echo influxdb
    command -v victoria-metrics >/dev/null || echo victoria-metrics
    command -v prometheus >/dev/null || echo prometheus
}

engines_in_place() { [ -z "$(engines_missing)" ]; }

setup_engines() {
    local packages
    read -ra packages < <(engines_missing | tr '\n' ' ') || true
    (install_without_services "${packages[@]}")
}

# --- which parts ----------------------------------------------------------------------------------------------------

ensure() { "$1_in_place" || "setup_$1"; }

main() {
    local part todo=() began=$SECONDS
    [ $# -gt 0 ] || set -- python image
    for part in "$@"; do
        case $part in
        python | toolchain | image | native | broker | engines) "${part}_in_place" || todo+=("$part") ;;
        *) fail "no part called $part; the parts are: python toolchain image native broker engines" ;;
        esac
    done
    [ ${#todo[@]} -gt 0 ] || return 0
    mkdir -p "$stamps"
    exec 9>"$cache/setup.lock"
    if command -v flock >/dev/null && ! flock -n 9; then
        say "another set-up is running, waiting for it"
        flock 9
    fi
    : >"$log"
    say "to do: ${todo[*]} (log: $log)"
    for part in "${todo[@]}"; do
        ensure "$part"
    done
    say "done in $((SECONDS - began)) s"
}

main "$@"
)

_fluksometer_setup "$@"
