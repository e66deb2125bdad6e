#!/bin/sh
# Makes .venv in this checkout, or brings it up to date; says nothing and does nothing where it is.
#
#   sh deploy/make-venv.sh            what Trinity needs to run
#   sh deploy/make-venv.sh dev        the tools for tests and checks as well
#
# PYTHON names the Python to use. Everything else is found out: uv is installed from PyPI since it is several times
# faster than pip, and pip does its work where uv can't be had. Versions are those of constraints.txt.
set -eu
cd "$(dirname "$0")/.."
extra=${1:-}
venv=.venv
python="$venv/bin/python"
stamp="$venv/installed"

# A line every ten seconds while a step takes long, for a log or a pipe; at a terminal the installer shows its own progress.
beat() {
    seconds=0
    while sleep "$beat_seconds" >/dev/null 2>&1 </dev/null; do  # it mustn't hold on to a pipe when all else has ended
        seconds=$((seconds + beat_seconds))
        say "  ... still at it after $seconds s"
    done
}
beat_seconds=${BEAT_SECONDS:-10}
heart=
# -9, as a shell that was forked a moment ago may lose a signal that it could catch.
stop_beating() {
    if [ -n "$heart" ]; then kill -9 "$heart" 2>/dev/null || true; wait "$heart" 2>/dev/null || true; fi
    heart=
}
trap stop_beating EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Does a step, named first, with a sign of life while it lasts.
step() {
    say "$1"
    shift
    if [ ! -t 2 ]; then beat & heart=$!; fi
    status=0
    "$@" || status=$?
    stop_beating
    return "$status"
}

say() { printf '%s\n' "$@" >&2; }
fail() { say "$@"; exit 1; }

# What was installed, where, and from which lists. Changing any of it means installing again.
state() {
    printf '%s %s %s\n' "$1" "$(cat pyproject.toml constraints.txt deploy/make-venv.sh | cksum)" "$(pwd -P)"
}

is_up_to_date() {
    [ -f "$stamp" ] && "$python" -c '' 2>/dev/null || return 1
    [ "$(cat "$stamp")" = "$(state dev)" ] || { [ -z "$extra" ] && [ "$(cat "$stamp")" = "$(state '')" ]; }
}

is_supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.14 python3.13 python3.12 python3.11; fi
    for candidate in "$@"; do
        if is_supported "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    found=$("$1" -V 2>&1) || found="not there"
    fail "Trinity needs Python 3.11 to 3.14, and $1 is $found." \
        "Install one, then: make ${MAKE_GOAL:-run} PYTHON=/path/to/python3.11"
}

make_venv() {
    "$python" -m pip --version >/dev/null 2>&1 && is_supported "$python" && return
    base=$(find_python)
    # Debian and Ubuntu ship Python without ensurepip, and venv then fails half-way.
    "$base" -c 'import ensurepip, venv' 2>/dev/null || fail \
        "$base has no venv module. On Debian or Ubuntu: sudo apt-get install python3-venv" \
        "Elsewhere: install the package that holds Python's venv and ensurepip modules. Then run make again."
    step "Making $venv with $("$base" -V 2>&1)" "$base" -m venv --clear "$venv"
    tell_who_may_run_it
}

# systemd's User= can't run a Python that lies in a folder of root's own, as pyenv's does, and says "Permission denied".
tell_who_may_run_it() {
    [ "$(id -u)" = 0 ] || return 0
    "$python" -c 'import pathlib, sys
sys.exit(any(not folder.stat().st_mode & 1 for folder in pathlib.Path(sys.executable).resolve().parents))' ||
        say "Only root can run this Python; a service under another user can't: see docs/operations.md, Under systemd."
}

# uv doesn't read pip's settings, so those that matter are handed on.
read_pip_settings() {
    links=${PIP_FIND_LINKS:-$("$python" -m pip config get global.find-links 2>/dev/null || true)}
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || true)}
    certificates=${PIP_CERT:-$("$python" -m pip config get global.cert 2>/dev/null || true)}
    if [ -n "$links" ] && [ -z "${UV_FIND_LINKS:-}" ]; then
        UV_FIND_LINKS=$(printf '%s' "$links" | tr -s ' \n' ',')
        export UV_FIND_LINKS
    fi
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
    if [ -n "$certificates" ]; then export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"; fi
}

# A folder given to pip's find-links often holds the build of torch that fits the machine.
has_own_torch() {
    old_ifs=$IFS
    IFS=,
    for folder in ${UV_FIND_LINKS:-}; do
        for wheel in "${folder#file://}"/torch-*.whl; do
            [ -e "$wheel" ] && { IFS=$old_ifs; return 0; }
        done
    done
    IFS=$old_ifs
    return 1
}

has_nvidia_card() { [ -e /proc/driver/nvidia/version ] || nvidia-smi -L >/dev/null 2>&1; }

# PyPI's torch for Linux is the CUDA build. Without a card the CPU build does, from PyTorch's own index.
choose_torch() {
    torch_backend=
    [ "$(uname -s)" = Linux ] || return 0
    has_own_torch && return 0
    "$python" -c 'import torch' 2>/dev/null && return 0
    if has_nvidia_card; then
        say "An NVIDIA card is here: PyTorch is installed with CUDA, a download of about 2.7 GB."
        torch_backend=auto
    else
        torch_backend=cpu
    fi
}

# shellcheck disable=SC2086  # without a value there is no argument
install_with_uv() {
    quiet=--quiet
    if [ -t 2 ]; then quiet=; fi
    "$python" -m uv pip install $quiet --python "$python" --compile-bytecode -c constraints.txt "$@" -e "$target"
}

install() {
    target=".${extra:+[$extra]}"
    if "$python" -m uv --version >/dev/null 2>&1 || step "Getting uv" "$python" -m pip install -qq --no-input uv; then
        read_pip_settings
        choose_torch
        if [ -n "$torch_backend" ]; then
            step "Getting PyTorch and the other packages" install_with_uv --torch-backend "$torch_backend" && return
            say "PyTorch's own index can't be used; trying the CUDA build from PyPI, a download of about 2.7 GB."
        fi
        step "Getting PyTorch and the other packages" install_with_uv && return
    fi
    read_pip_settings
    if [ "$(uname -s)" = Linux ] && ! has_own_torch; then say "PyTorch comes with CUDA then, a download of 2.7 GB."; fi
    step "Installing with pip instead of uv; that takes some minutes" \
        "$python" -m pip install -qq --no-input -c constraints.txt -e "$target"
}

is_up_to_date && exit 0
say "Installing Trinity into $venv (once: a minute, or several on a slow machine; later calls only start)."
make_venv
rm -f "$stamp"
install
say "Installed."
state "$extra" >"$venv/installing"
mv "$venv/installing" "$stamp"
