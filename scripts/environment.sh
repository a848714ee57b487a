# shellcheck shell=bash disable=SC2154 # root comes from the script that sources this
# Sourced by scripts/demo, scripts/test and .ci/run: the repository's own environment in .venv.
#
# Needs $root, the repository's folder. Offers
#   make_venv FOLDER            an empty virtual environment from the first Python that will do
#   prepare_environment EXTRA   .venv with the package (editable) and the extra "core" or "dev"
#   install_chromium            Debian's Chromium, unless there is one (for the tests of pages)

export PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_USER=0 # a `user = true` in someone's pip settings would stop an install into a venv
# What is imported is compiled then; pip would compile all of TensorFlow.
export PIP_NO_COMPILE=1
unset PYTHONDONTWRITEBYTECODE # tests start hundreds of processes, which would compile it each time
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"

# A candidate is run, not only found: a version manager's shim exists even where its Python does not.
will_do() {
    "$1" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        >/dev/null 2>&1
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        if ! will_do "$PYTHON"; then
            echo "PYTHON=$PYTHON: does not run as Python 3.11 to 3.13; name another or unset it" >&2
            return 1
        fi
        echo "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if will_do "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "no Python 3.11 to 3.13 found; install one, or name it: PYTHON=/path/to/python3 $0" >&2
    return 1
}

make_venv() {
    local python
    python=$(find_python) || return 1
    if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        "$python" -m venv "$1"
    elif "$python" -m pip --version >/dev/null 2>&1; then # Debian: pip, but no python3-venv
        "$python" -m venv --without-pip "$1" &&
            "$python" -m pip --python "$1/bin/python" install -qq pip
    else
        echo "$python has neither ensurepip nor pip; install them (Debian: python3-venv)" >&2
        return 1
    fi
}

# pip into FOLDER: its progress is worth seeing at a terminal; elsewhere only errors are.
pip_install() {
    local folder=$1 quiet=-qq
    shift
    if [ -t 1 ]; then quiet=; fi
    # shellcheck disable=SC2086 # no argument at all when empty
    "$folder/bin/python" -m pip install $quiet "$@"
}

# Packages for the tests that are installed without what their metadata asks for (tensorflow-addons,
# OpenCV, PyTorch): onnx-tf needs no more than is here, the others carry ONNX models.
test_packages=(onnx-tf rapidocr-onnxruntime silero-vad)

# What an installation depends on. The root is part of it: a moved clone has stale paths in .venv.
installation_checksum() {
    {
        echo "$root"
        grep '^__version__' "$root/kerasviz/__init__.py" || true
        cat "$root/setup.cfg" "$root/pyproject.toml"
        echo "${test_packages[@]}"
    } | cksum
}

prepare_environment() {
    local extra=$1 venv="$root/.venv" what="$root" stamp checksum
    local unfinished="$venv/kerasviz-unfinished"
    stamp="$venv/kerasviz-$extra"
    checksum=$(installation_checksum)
    if [ ! -e "$unfinished" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$checksum" ] &&
        [ -x "$venv/bin/python" ]; then
        return
    fi
    local other
    other=$(cat "$unfinished" 2>/dev/null || true)
    if [ -n "$other" ] && [ "$other" != $$ ] && kill -0 "$other" 2>/dev/null; then
        echo "process $other is installing into $venv; wait for it, or remove that folder" >&2
        return 1
    fi
    # An interrupted installation, or an environment whose Python is gone, is made anew. One that
    # runs (also one that somebody made by hand) is kept and brought up to date.
    if [ -e "$unfinished" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$venv"
        mkdir "$venv"
        echo $$ >"$unfinished"
        make_venv "$venv" || return 1
    fi
    echo $$ >"$unfinished"
    if [ "$extra" != core ]; then what="${root}[$extra]"; fi
    echo "installing kerasviz ($extra) into $venv; the first time takes some minutes" >&2
    pip_install "$venv" --editable "$what" || return 1
    if [ "$extra" = dev ]; then
        pip_install "$venv" --no-deps "${test_packages[@]}" || return 1
    fi
    echo "$checksum" >"$stamp"
    if [ "$extra" != core ]; then echo "$checksum" >"$venv/kerasviz-core"; fi
    rm "$unfinished"
}

install_chromium() {
    local name as_root=()
    for name in chromium chromium-browser google-chrome chrome; do
        if command -v "$name" >/dev/null; then return; fi
    done
    if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
    if ! command -v apt-get >/dev/null || ! { [ "$(id -u)" = 0 ] || sudo -n true; } 2>/dev/null; then
        echo "no Chromium on PATH, and it cannot be installed here: install it (Debian: chromium)" >&2
        return 1
    fi
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qq --no-install-recommends chromium
}
