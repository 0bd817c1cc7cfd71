#!/bin/bash
# Does training run on this machine's NVIDIA GPU? One command, one report to send back.
#
#   benchmarks/gpu_check.sh [MANIFEST.csv]
#
# It installs the project with the CUDA 13 wheels (2.3 GB) into gpu_check/venv, looks at the machine, compares every operation on CUDA with
# the processor, trains 300 steps on MANIFEST (without one: on the demo set), measures the speed, and writes gpu_report.md. A step that fails
# does not stop the others; its output is in the report. Exit status 1 when one failed. Settings, all optional:
#
#   PYTHON=python3.11   which Python makes the virtual environment (3.10 to 3.12)
#   EXTRAS=train        install without the wheels, where the system's CUDA 11 or 12 with cuDNN 8 is to be used
#   BIN=/some/venv/bin  use what is installed there, and install nothing
#   STEPS=300           training steps
#   TSIT=CLONE          a clone of EndlessSora/TSIT, and TORCH_PYTHON=PYTHON one that has PyTorch: compare results and speed with it, too
#   REPORT=FILE         where the report goes
set -u
user=$PWD
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/gpu_check
report=$(realpath -m "${REPORT:-$root/gpu_report.md}")
manifest=${1:+$(realpath -m "$1")}
steps=${STEPS:-300}
longest=400 # lines of output that the report keeps of a step: its end
failed=()
case "${1:-}" in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit ;; esac
mkdir -p "$work" "$(dirname "$report")" || exit 1
log=$work/step.log

# step TITLE SECONDS FOLDER COMMAND...: run it there with a time limit, and report how it went
step() {
    local title=$1 limit=$2 folder=$3 began=$SECONDS status
    shift 3
    echo "== $title" >&2
    (cd "$folder" && timeout --kill-after=30 "$limit" "$@") </dev/null >"$log" 2>&1
    status=$?
    {
        echo "## $title"
        echo
        echo "\`$(printf '%q ' "$@" | sed 's/ $//')\` ended with status $status after $((SECONDS - began)) s$([ $status = 124 ] && echo " (its limit of $limit s)")"
        echo
        echo '~~~~'
        sed 's/\r$//; s/.*\r//; s/\x1b\[[0-9;?]*[a-zA-Z]//g' "$log" | grep -v '^$' | tail -n $longest # of progress bars only what stood last
        echo '~~~~'
        echo
    } >>"$report"
    if [ $status != 0 ]; then
        failed+=("$title")
        echo "   failed (status $status):" >&2
        tail -n 5 "$log" | sed 's/^/   /' >&2
    fi
    return $status
}

first_python() {
    local name
    for name in "${PYTHON:-}" python3.12 python3.11 python3.10 python3; do
        if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo python3 # too old or too new: the installation then says so
}

looked_at() {
    echo "$(date -u +%Y-%m-%dT%H:%MZ), $(uname -srm)"
    [ ! -r /etc/os-release ] || grep PRETTY_NAME /etc/os-release
    git -C "$root" log -1 --format='commit %H' 2>/dev/null
    grep -m1 'model name' /proc/cpuinfo
    nproc
    free -h
    df -h "$work"
    g++ --version | head -1
    command -v nvcc && nvcc --version
    nvidia-smi
}

cat >"$report" <<END
# GPU report

Written by benchmarks/gpu_check.sh, $(date -u +%Y-%m-%d).

END
export -f looked_at
export root work PYTHONUNBUFFERED=1
step "Machine" 60 "$root" bash -c looked_at
if [ -n "${BIN:-}" ]; then
    bin=$(realpath "$BIN")
else
    bin=$work/venv/bin
    [ -x "$bin/python" ] || step "Virtual environment" 300 "$root" "$(first_python)" -m venv "$work/venv"
    step "Installation" 3600 "$root" "$bin/python" -m pip install --disable-pip-version-check -e ".[${EXTRAS:-train,cuda}]" psutil
fi
step "Packages" 60 "$root" "$bin/python" -m pip list --disable-pip-version-check
step "Check" 3600 "$root" "$bin/train" --check
step "Operations, CUDA against the processor" 3600 "$root" "$bin/python" -m benchmarks.kernels
place=$user
if [ -z "$manifest" ]; then
    place=$work
    manifest=$work/manifests/selection2.csv
    step "Demo set" 900 "$place" "$bin/curate" demo --quiet --data landscapes --work work --out manifests
fi
step "Training, $steps steps" 7200 "$place" "$bin/train" --preset landscape256 --steps "$steps" --device cuda --manifest "$manifest"
if [ -n "${TSIT:-}" ]; then
    step "Results and speed beside PyTorch" 7200 "$root" "$bin/python" -m benchmarks.parity --device cuda --checkout "$TSIT" --torch-python "${TORCH_PYTHON:-python3}"
else
    step "Speed" 3600 "$root" "$bin/python" -m benchmarks.train_speed --device cuda
fi
rm -f "$log"

{
    echo "## Summary"
    echo
    if [ ${#failed[@]} = 0 ]; then echo "Everything ran."; else printf 'Failed: %s\n' "${failed[@]}"; fi
} >>"$report"
echo "Report: $report" >&2
[ ${#failed[@]} = 0 ] || { printf 'Failed: %s\n' "${failed[@]}" >&2 && exit 1; }
