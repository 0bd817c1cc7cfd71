#!/bin/sh
# Make a virtual environment at $1 with $PYTHON. What the system lacks is installed when this runs as root with apt at hand;
# otherwise the exact line that installs it is printed.
set -eu
venv=$1
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
    echo "$python is not installed. On Debian/Ubuntu: sudo apt-get install -y python3 python3-venv" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "$("$python" --version) is too old: Python 3.10 or newer is needed. With another one: make PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $package ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    else
        echo "Python's venv module is missing. On Debian/Ubuntu: sudo apt-get install -y $package" >&2
        exit 1
    fi
fi
"$python" -m venv "$venv" || { rm -rf "$venv"; exit 1; }
