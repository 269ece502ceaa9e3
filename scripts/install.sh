#!/bin/sh
# Puts into .venv what the Makefile's commands need, on Linux and macOS:
#
#   scripts/install.sh packages REQUIREMENTS…   Python packages of these lists, in the versions of requirements.lock
#   scripts/install.sh lock                     the newest versions that the lists allow, into requirements.lock
#   scripts/install.sh browser                  a Chromium for the tests, unless there is one
#
# PYTHON in the environment: the Pythons to try for .venv, in this order.
set -eu

PYTHON=${PYTHON:-python3.13 python3.12 python3.11 python3}
VENV=.venv
LOCK=requirements.lock

# Python code that fails in a Python that is incomplete, or not of a version that the lab runs on.
SUPPORTED='import ctypes, ssl, sys, zlib; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

fail() {
    echo "$1" >&2
    exit 1
}

python() {
    "$VENV/bin/python" "$@"
}

# Whether packages of Debian or Ubuntu can be installed without a password.
can_apt() {
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo -n'
    { command -v apt-get && $sudo true; } >/dev/null 2>&1
}

apt_install() {
    can_apt || return 1
    echo "Installing $* ..."
    $sudo apt-get update -qq </dev/null || true # a list that cannot be renewed may still be good
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

# A virtual environment that is there and whole is kept.
make_venv() {
    if python -c "$SUPPORTED" 2>/dev/null && python -m pip --version >/dev/null 2>&1; then
        return
    fi
    found=
    without_venv=
    for candidate in $PYTHON; do
        "$candidate" -c "$SUPPORTED" 2>/dev/null || continue
        if "$candidate" -c 'import ensurepip' 2>/dev/null; then
            found=$candidate
            break
        fi
        without_venv=${without_venv:-$candidate}
    done
    if [ -z "$found" ] && [ -n "$without_venv" ]; then # Debian keeps that part of Python in a package of its own
        package=$("$without_venv" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$package" || fail "A part of Python is missing: run 'sudo apt-get install $package', then this again."
        found=$without_venv
    fi
    [ -n "$found" ] || fail "Python 3.11, 3.12 or 3.13 is needed, and none of these is one: $PYTHON. \
Install one, or name it: make PYTHON=/path/to/python …"
    "$found" -m venv --clear "$VENV"
}

# uv takes a fifth of the time of pip, but knows nothing of an index or a proxy that pip has been told of.
install_packages() {
    # What builds a package is installed in the locked versions too.
    export PIP_CONSTRAINT="$LOCK" PIP_BUILD_CONSTRAINT="$LOCK" UV_CONSTRAINT="$LOCK" UV_BUILD_CONSTRAINT="$LOCK"
    echo "Installing $* into $VENV ..."
    for list in "$@"; do # each NAME becomes -r NAME
        set -- "$@" -r "$list"
        shift
    done
    if ! python -m pip config list | grep -q -E '\.(index-url|no-index|proxy)=' &&
        python -m pip install --quiet --disable-pip-version-check uv &&
        UV_SYSTEM_CERTS=1 python -m uv pip install --python "$VENV/bin/python" "$@"; then
        return
    fi
    python -m pip install --disable-pip-version-check "$@"
}

# One list of versions for each Python and system, with CUDA and without: of it, only what is needed is installed.
renew_lock() {
    python -m pip install --quiet --disable-pip-version-check uv
    UV_CUSTOM_COMPILE_COMMAND="make lock" UV_SYSTEM_CERTS=1 python -m uv pip compile --quiet --upgrade --universal \
        --python-version 3.11 --no-annotate --no-emit-package sgd-tf requirements.txt requirements-dev.txt \
        --output-file "$LOCK"
}

# The tests drive the browser that SGD_TF_CHROMIUM names, else one on the PATH, else Playwright's own.
install_browser() {
    if ! python -m playwright --version >/dev/null 2>&1; then # a bare Debian lacks a library that Playwright needs
        apt_install libatomic1 || fail "Playwright does not start: run 'sudo apt-get install libatomic1', then this again."
    fi
    [ -z "${SGD_TF_CHROMIUM:-}" ] || return 0
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        ! command -v "$name" >/dev/null || return 0
    done
    if grep -q '^ID=debian' /etc/os-release 2>/dev/null && apt_install chromium-headless-shell fonts-nanum; then
        return
    fi
    system_libraries=
    ! can_apt || system_libraries=--with-deps
    python -m playwright install $system_libraries chromium ||
        fail "The tests need Chromium: install it, or name it: SGD_TF_CHROMIUM=/path/to/chromium make test"
}

what=${1:-}
case $what in
packages)
    shift
    make_venv
    install_packages "$@"
    ;;
lock)
    make_venv
    renew_lock
    ;;
browser) install_browser ;;
*) fail "Usage: scripts/install.sh packages REQUIREMENTS… | lock | browser" ;;
esac
