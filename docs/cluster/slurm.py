"""Run a `curate` command on workers that Slurm starts and stops as there is work.

    python slurm.py --cores 16 --memory 32GB --walltime 04:00:00 --jobs 8 --partition cpu -- build-selection --level 2 --data ... --work ... --out ...
    python slurm.py --cores 16 --memory 32GB --print-job

Needs `pip install 'pair-curation[cluster]' dask-jobqueue cryptography` in an environment that every node sees at the same path. The
scheduler lives in this program, which must not end before the work does: where login nodes are not for that, put it into a job of its own:
`sbatch -c 4 --mem 16G -t 1-00:00:00 --wrap "python slurm.py ..."`. Options after `--` go to `curate`, followed by `--engine dask
--scheduler ADDRESS`. Everything between the nodes is encrypted, and nobody else on them can talk to the scheduler: the certificates
are made for this run and lie in --shared, readable by you alone, until it ends. The exit status is curate's.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from dask_jobqueue import SLURMCluster
from distributed.security import Security

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
CURATE = (sys.executable, "-m", "curation.cli")
LAST_MINUTES = 5  # a worker ends so long before its job's time is up, and hands its shards back


def main() -> int:
    own, curate = split(sys.argv[1:])
    options = parsed(own, bool(curate))
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # Slurm's way to end a job: close the workers, remove the keys
    with TemporaryDirectory(prefix=".pair-curation-", dir=options.shared) as folder:
        security = security_in(Path(folder))
        with cluster_of(options, security) as cluster:
            if options.print_job:
                print(cluster.job_script())
                return 0
            cluster.adapt(minimum_jobs=1, maximum_jobs=options.jobs)
            print(
                f"scheduler {cluster.scheduler_address}; up to {options.jobs} jobs of {options.cores} cores", flush=True
            )
            page = cluster.scheduler_info["services"].get("dashboard")  # another port than 8787 where that is taken
            print(f"status page (with bokeh): ssh -L 8787:127.0.0.1:{page} {os.uname().nodename}", flush=True)
            command = [*CURATE, *curate, "--engine", "dask", "--scheduler", cluster.scheduler_address]
            return subprocess.run(command, env={**os.environ, **credentials(security)}).returncode


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """(options of this program, a curate command): what stands before and after `--`."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def parsed(arguments: list[str], command: bool) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, required=True, help="of a job: so many processes, each on a shard")
    parser.add_argument("--memory", required=True, help="of a job; 2GB a core is ample")
    parser.add_argument("--walltime", default="04:00:00", help="of a job, HH:MM:SS")
    parser.add_argument("--jobs", type=int, default=4, help="at most so many at once")
    parser.add_argument("--partition", help="sbatch -p")
    parser.add_argument("--account", help="sbatch -A")
    parser.add_argument("--sbatch", action="append", default=[], help="more for sbatch, e.g. --sbatch=--constraint=ssd")
    parser.add_argument(
        "--interface", help="network card that all nodes share, e.g. ib0; default: the one of the host name"
    )
    parser.add_argument(
        "--shared", type=Path, default=Path.home(), help="folder that all nodes see, for certificates and logs"
    )
    parser.add_argument("--print-job", action="store_true", help="show the job that would be submitted, and end")
    options = parser.parse_args(arguments)
    if not command and not options.print_job:
        parser.error("nothing to do: end with  -- build-selection --level 2 --data ...")
    return options


def cluster_of(options: argparse.Namespace, security: Security) -> SLURMCluster:
    """A scheduler in this process, and no job yet."""
    logs = options.shared / "pair-curation-logs"
    return SLURMCluster(
        cores=options.cores,
        processes=options.cores,
        memory=options.memory,
        walltime=options.walltime,
        queue=options.partition,
        account=options.account,
        job_extra_directives=options.sbatch,
        job_script_prologue=[f"export {name}=1" for name in THREADS],
        worker_extra_args=[
            *("--lifetime", f"{minutes(options.walltime) - LAST_MINUTES}m", "--lifetime-stagger", "2m"),
            *("--dashboard-address", "127.0.0.1:0"),
        ],
        local_directory="${TMPDIR:-/tmp}",  # a disk of the node
        log_directory=str(logs),
        interface=options.interface,
        security=security,
        scheduler_options={"dashboard_address": "127.0.0.1:8787"},
    )


def minutes(walltime: str) -> int:
    """HH:MM:SS -> whole minutes; at least ten, so that a worker has time to work."""
    found = re.fullmatch(r"(\d+):(\d\d):\d\d", walltime)
    length = 60 * int(found[1]) + int(found[2]) if found else 0
    if length < 10:
        raise SystemExit(f"--walltime {walltime}: take HH:MM:SS of ten minutes or more")
    return length


def security_in(folder: Path) -> Security:
    """Fresh certificates of a cluster, as files that its owner alone can read."""
    made = Security.temporary().get_tls_config_for_role("worker")
    for name in ("ca_file", "cert", "key"):
        (folder / f"{name}.pem").touch(0o600)
        (folder / f"{name}.pem").write_text(made[name])
    roles = {
        f"tls_{role}_{name}": str(folder / f"{name}.pem")
        for role in ("scheduler", "worker", "client")
        for name in ("cert", "key")
    }
    return Security(tls_ca_file=str(folder / "ca_file.pem"), **roles, require_encryption=True)


def credentials(security: Security) -> dict[str, str]:
    """Environment by which another program may talk to the cluster."""
    tls = security.get_tls_config_for_role("client")
    return {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": tls["ca_file"],
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": tls["cert"],
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": tls["key"],
    }


if __name__ == "__main__":
    sys.exit(main())
