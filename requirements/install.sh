#!/bin/sh
# Build .venv in the current directory and install one of the locks beside this file into it.
# Usage: requirements/install.sh runtime|dev        (PYTHON=/path/to/python chooses the interpreter)
# Needs only a POSIX shell and a Python that can make virtual environments. Does nothing when up to date.
set -eu

lock=${1:?usage: requirements/install.sh runtime|dev}
venv=.venv
wanted="3.11, 3.12 or 3.13"
probe='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
bits='import sys; sys.exit(not sys.maxsize > 2**32)'
unset PYTHONPATH PYTHONHOME || true
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=1 PIP_NO_INPUT=1
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_CONSTRAINT PIP_NO_DEPS || true

say() { printf '%s\n' "$*" >&2; }

how_to_install() {
    say ""
    say "Install one of them, for example:"
    say "  Debian, Ubuntu   sudo apt-get install python3.11 python3.11-venv     (or 3.12, 3.13: what your release has)"
    say "  Fedora           sudo dnf install python3.12"
    say "  macOS            brew install python@3.12"
    say "or name one that is not on PATH:  make setup PYTHON=/path/to/python3.12"
}

# Print every command of the name $1 that PATH holds, in its order; of one that the user named, what the shell finds.
all_of() {
    if [ -n "${PYTHON:-}" ]; then command -v "$1" || :; return; fi
    (
        IFS=:
        set -f
        for directory in $PATH; do
            path=${directory:-.}/$1
            if [ -x "$path" ] && [ ! -d "$path" ]; then printf '%s\n' "$path"; fi
        done
    )
}

# Say whether $1 can be built with; leave in $seen what was found and why it will not do.
seen=""
suits() {
    version=$("$1" -c 'import platform; print(platform.python_version())' 2>/dev/null) || {
        seen="$seen
  $1 does not start"
        return 1
    }
    if ! "$1" -c "$probe"; then
        seen="$seen
  $1 is Python $version"
    elif ! "$1" -c "$bits"; then
        seen="$seen
  $1 is a 32-bit build"
    elif ! "$1" -c 'import venv, ensurepip' 2>/dev/null; then
        seen="$seen
  $1 is Python $version without the module venv or ensurepip"
        no_venv=$version
    else
        return 0
    fi
    return 1
}

# Print in how many microseconds $1 does a piece of work like the engine's: calls, tuples, dictionaries and text.
pace='
import json, timeit
from collections import namedtuple
Pair = namedtuple("Pair", "name value")
def work():
    kept = {}
    for i in range(1_000):
        pair = Pair(str(i & 63), i * 0.5)
        if isinstance(pair, tuple): kept[pair.name] = pair
    return sorted(kept.items()), json.dumps({name: pair.value for name, pair in kept.items()})
print(int(min(timeit.repeat(work, number=1, repeat=40)) * 1e6))'
pace_of() { "$1" -c "$pace" 2>/dev/null || echo 0; }

# Leave in $python the first that suits. Of several of its name on PATH one that is a tenth faster is taken instead:
# a build without profile-guided optimisation, as pyenv makes by default, runs the engine a fifth slower.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.11 python3.12 python3.13 python3 python; fi
    for candidate; do
        while IFS= read -r path; do
            if [ -z "$path" ] || ! suits "$path" </dev/null; then continue; fi
            if [ -z "$python" ]; then
                python=$path
            else
                took=${took:-$(pace_of "$python" </dev/null)} takes=$(pace_of "$path" </dev/null)
                if [ "$takes" -gt 0 ] && [ $((takes * 10)) -lt $((took * 9)) ]; then
                    faster=", a faster build than $python"
                    python=$path took=$takes
                fi
            fi
        done <<EOF
$(all_of "$candidate")
EOF
        if [ -n "$python" ]; then return 0; fi
    done
    return 1
}

choose_python() {
    python="" took="" faster="" no_venv=""
    find_python && return 0
    if [ -n "${PYTHON:-}" ]; then
        say "make: PYTHON=$PYTHON will not do: Breakwater needs Python $wanted, 64-bit, with venv.${seen:-
  no such command}"
    elif [ -n "$no_venv" ]; then
        minor=${no_venv%.*}
        say "make: Python $no_venv is here but cannot make virtual environments. Found on PATH:$seen"
        say ""
        say "Debian and Ubuntu package that apart:  sudo apt-get install python$minor-venv"
        say "Then run make again."
        exit 2
    else
        say "make: Breakwater needs Python $wanted, and none is on PATH. Found:${seen:-
  no Python at all}"
    fi
    how_to_install
    exit 2
}

make_venv() {
    choose_python
    say "Making $venv with $python ($("$python" -c 'import platform; print(platform.python_version())')$faster)"
    if ! "$python" -m venv --clear "$venv"; then
        rm -rf "$venv"
        say ""
        say "make: $python could not make the virtual environment $venv (its message is above)."
        say "On Debian and Ubuntu install the package python3-venv; otherwise look at free space and rights in $(pwd)."
        exit 2
    fi
    pwd >"$venv/.made-in"
}

# A virtual environment has absolute paths inside: one that was moved, or whose Python went away, is made anew.
usable() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "$probe" 2>/dev/null &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1
}

fingerprint() {
    pwd
    cat requirements/runtime.txt pyproject.toml requirements/install.sh | cksum
    if [ "$1" = dev ]; then cksum <requirements/dev.txt; fi
}

# Whether the environment was made with the Python that was named, if one was.
as_named() {
    [ -z "${PYTHON:-}" ] && return 0
    which='import sys; print(sys.base_prefix, sys.version)'
    [ "$("$PYTHON" -c "$which" 2>/dev/null)" = "$("$venv/bin/python" -c "$which" 2>/dev/null)" ]
}

up_to_date() {
    [ -x "$venv/bin/python" ] && as_named && [ "$(cat "$venv/.installed-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]
}

fetch() {
    say "Installing $1 (the first time a few hundred MB are downloaded and 1.2 GB of disk used)"
    # The lock is complete, so pip has nothing to resolve: asked to, older ones look for the newest release that an
    # extra allows ("coverage[toml]>=7.10") and refuse it for having no hash, from the day it is newer than the lock.
    if ! "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: -r "$1"; then
        say ""
        say "make: the packages of $1 could not be installed (pip's message is above). Most often:"
        say "  no network       this step needs the Python package index once; connect and run make again: it goes on"
        say "  a proxy          set HTTPS_PROXY; for a mirror set PIP_INDEX_URL, for its certificate PIP_CERT"
        say "  \"no matching distribution\"   there is no binary package for this machine or Python:"
        say "                   $("$venv/bin/python" -c 'import platform; print(platform.platform(), "Python", platform.python_version())')"
        say "  hashes differ    the index serves other files than were locked: do not go on, report it"
        say "  disk full        make room in $(pwd) and run make again"
        exit 2
    fi
}

install_project() {
    if ! "$venv/bin/python" -m pip install --quiet --no-index --no-build-isolation -e .; then
        say "make: Breakwater itself could not be installed into $venv (pip's message is above)."
        exit 2
    fi
}

case $lock in
runtime | dev) ;;
*) say "usage: requirements/install.sh runtime|dev, not '$lock'" && exit 2 ;;
esac

if [ "$lock" = runtime ] && up_to_date dev; then exit 0; fi
if up_to_date "$lock"; then exit 0; fi
if [ -e "$venv" ]; then
    [ "$(cat "$venv/.made-in" 2>/dev/null)" = "$(pwd)" ] && usable && as_named || {
        say "$venv is incomplete, was moved, has lost its Python or was made with another: making it anew"
        make_venv
    }
else
    make_venv
fi
rm -f "$venv/.installed-runtime" "$venv/.installed-dev"
fetch "requirements/$lock.txt"
install_project
# Bytecode for a dozen processes to find at each start, also where PYTHONDONTWRITEBYTECODE keeps them from leaving it.
# What does not compile is told by whoever imports it.
"$venv/bin/python" -m compileall -qq actors cli config domain simulation storage supervisor || :
fingerprint runtime >"$venv/.installed-runtime"
if [ "$lock" = dev ]; then fingerprint dev >"$venv/.installed-dev"; fi
say "Ready: $venv"
