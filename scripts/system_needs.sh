#!/bin/sh
# See that what training needs of the system is there: a C++ compiler and Python's headers, which Jittor compiles with; with "mpi" also OpenMPI,
# with "postgres" also a PostgreSQL server, which the tests of decisions start for themselves, with "browser" also the Chromium that tests the app.
# What is missing is installed when this runs as root with apt at hand; otherwise the line that installs it is printed and the status is 1.
set -eu
python=$1
shift
missing=""
command -v g++ >/dev/null || missing="g++"
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$headers/Python.h" ] || missing="$missing $("$python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')"
for wanted in "$@"; do
    case $wanted in
    mpi) command -v mpicc >/dev/null && command -v mpirun >/dev/null || missing="$missing openmpi-bin libopenmpi-dev" ;;
    postgres) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql" ;;
    browser) command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium" ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $missing ..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "training${*:+ and the tests of $*} need $missing. On Debian/Ubuntu: sudo apt-get install -y $missing" >&2
exit 1
