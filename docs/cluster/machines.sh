#!/bin/sh
# A Dask cluster of plain machines, encrypted, and closed to everybody without the certificates of certificates.sh.
#
#     machines.sh scheduler ADDRESS CERTIFICATES               on one machine; ADDRESS: its own in the private network
#     machines.sh worker ADDRESS CERTIFICATES OWN [PROCESSES]  on each machine that works; OWN: its own address there
#
# PORT=8786 is the scheduler's port. Each process works on one shard at a time. The status page (needs: pip install bokeh) is for this
# machine only: ssh -L 8787:127.0.0.1:8787 ADDRESS. Ctrl-C ends it; work under way on a worker is given to another.
set -eu
what=${1:?scheduler or worker} address=${2:?address of the scheduler} certificates=$(cd "${3:?folder of the certificates}" && pwd)
export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true  # tcp:// is refused
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMEXPR_NUM_THREADS=1
set -- "${4:-}" "${5:-auto}" --protocol tls --tls-ca-file "$certificates/ca.pem" --tls-cert "$certificates/cert.pem" --tls-key "$certificates/key.pem"
own=$1 processes=$2
shift 2
case $what in
scheduler)
    exec dask scheduler "$@" --host "$address" --port "${PORT:-8786}" --dashboard-address "127.0.0.1:${STATUS_PORT:-8787}"
    ;;
worker)
    [ "$processes" = auto ] && processes=$(getconf _NPROCESSORS_ONLN)
    exec dask worker "$@" --host "${own:?address of this machine}" --dashboard-address 127.0.0.1:0 \
        --nworkers "$processes" --nthreads 1 --local-directory "${TMPDIR:-/tmp}" "tls://$address:${PORT:-8786}"
    ;;
*)
    echo "$what: scheduler or worker?" >&2
    exit 2
    ;;
esac
