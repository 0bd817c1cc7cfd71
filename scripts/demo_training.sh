#!/bin/sh
# The end of the demo: train a tiny generator on the pairs that were kept, for a minute, and say where its pictures are.
set -eu
bin=$1
if ! "$bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
    echo "No training here: Jittor does not run on Python 3.13. With another one: make demo PYTHON=python3.12 (after make clean)"
    exit 0
fi
"$(dirname "$0")/system_needs.sh" "$bin/python" || exit 0
rm -rf demo/run
"$bin/train" --manifest demo/manifests/selection2.csv --preset tiny --steps 120 --device cpu --out demo/run
echo "label map, generated, photo: $(ls demo/run/samples/*.png | tail -1)"
