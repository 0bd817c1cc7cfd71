"""The files of docs/cluster, as people copy them: run as far as one machine goes, checked against their programs beyond that."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from command import ROOT

FILES = ROOT / "docs/cluster"
PATHS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
NEED_OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


# ---- plain machines


def certificates(folder: Path) -> Path:
    subprocess.run([FILES / "certificates.sh", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """A scheduler and two workers, started by machines.sh on 127.0.0.1: its address, the certificates, the processes."""
    pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("cluster")
    own = certificates(folder / "certificates")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PATH": PATHS, "PORT": port, "STATUS_PORT": "0", "TMPDIR": str(folder)}
    started = []

    def start(*arguments: str) -> None:
        with open(folder / f"{len(started)}.log", "w") as log:
            command = [FILES / "machines.sh", *arguments]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    try:
        start("scheduler", "127.0.0.1", str(own))
        for _ in range(2):
            start("worker", "127.0.0.1", str(own), "127.0.0.1", "1")
        yield f"tls://127.0.0.1:{port}", own, started, folder
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def credentials(folder: Path):
    from distributed.security import Security

    names = {"tls_ca_file": "ca.pem", "tls_client_cert": "cert.pem", "tls_client_key": "key.pem"}
    return Security(**{option: str(folder / name) for option, name in names.items()}, require_encryption=True)


def test_two_workers_started_by_hand_work_for_a_client_with_the_certificates(machines):
    address, own, _, folder = machines
    # as docs/cluster.md says: nothing but the environment
    environment = {
        **os.environ,
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(own / "ca.pem"),
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": str(own / "cert.pem"),
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": str(own / "key.pem"),
    }
    program = (
        "import os, sys\n"
        "from distributed import Client\n"
        "with Client(sys.argv[1], timeout=30) as client:\n"
        "    client.wait_for_workers(2, timeout=60)\n"
        "    print(len(set(client.run(os.getpid).values())), {w['nthreads'] for w in client.scheduler_info()['workers'].values()})\n"
        "    print(sum(client.gather(client.map(pow, range(100), [2] * 100))))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, address], env=environment, capture_output=True, text=True)
    logs = "".join(log.read_text()[-2000:] for log in folder.glob("*.log"))
    assert done.stdout.split("\n")[:2] == ["2 {1}", str(sum(n * n for n in range(100)))], done.stderr + logs


def test_a_client_without_these_certificates_is_refused(machines, tmp_path):
    from distributed import Client

    address, own, _, _ = machines
    with Client(address, security=credentials(own), timeout=30):
        pass  # it is there
    with pytest.raises(OSError), Client(address, security=credentials(certificates(tmp_path / "others")), timeout=3):
        pass
    with pytest.raises(OSError), Client(address.replace("tls", "tcp"), timeout=3):
        pass


def test_no_port_is_open_to_other_machines(machines):
    psutil = pytest.importorskip("psutil")
    from distributed import Client

    address, own, started, _ = machines
    with Client(address, security=credentials(own), timeout=30) as client:
        client.wait_for_workers(2, timeout=60)
    processes = [
        one for process in started for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
    ]
    open_to = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert open_to == {"127.0.0.1"}


@NEED_OPENSSL
def test_keys_are_readable_by_their_owner_alone_and_never_overwritten(tmp_path):
    folder = certificates(tmp_path / "certificates")
    assert {file.name for file in folder.iterdir()} == {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in folder.iterdir())
    before = (folder / "key.pem").read_bytes()
    again = subprocess.run([FILES / "certificates.sh", folder], capture_output=True, text=True)
    assert again.returncode and "delete the folder" in again.stderr
    assert (folder / "key.pem").read_bytes() == before


# ---- Slurm


@pytest.fixture
def slurm():
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    spec = importlib.util.spec_from_file_location("slurm", FILES / "slurm.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_slurm_job_asks_for_what_was_said_and_starts_encrypted_workers(slurm, tmp_path, monkeypatch, capsys):
    options = [
        "--cores=16",
        "--memory=32GB",
        "--walltime=02:30:00",
        "--partition=cpu",
        "--account=lab",
        "--sbatch=--constraint=ssd",
    ]
    monkeypatch.setattr(sys, "argv", ["slurm.py", *options, f"--shared={tmp_path}", "--print-job"])
    assert slurm.main() == 0
    *head, command = capsys.readouterr().out.strip().splitlines()
    for wanted in ("-p cpu", "-A lab", "-n 1", "--cpus-per-task=16", "--mem=30G", "-t 02:30:00", "--constraint=ssd"):
        assert f"#SBATCH {wanted}" in head
    assert "export OMP_NUM_THREADS=1" in head
    words = command.split()
    assert words[:3] == [sys.executable, "-m", "distributed.cli.dask_worker"]
    assert words[3].startswith("tls://")
    given = dict(pairwise(words))
    assert given["--nworkers"] == "16" and given["--nthreads"] == "1" and given["--memory-limit"] == "1.86GiB"
    assert given["--lifetime"] == "145m"  # the job has 150
    assert given["--local-directory"] == "${TMPDIR:-/tmp}" and given["--dashboard-address"] == "127.0.0.1:0"
    assert all(given[flag].startswith(f"{tmp_path}/") for flag in ("--tls-ca-file", "--tls-cert", "--tls-key"))
    assert not list(tmp_path.glob(".pair-curation-*"))  # keys are gone with the run


def test_slurm_jobs_are_submitted_and_work_for_the_command(slurm, tmp_path, monkeypatch, capsys):
    """With programs in the place of sbatch and scancel that run the job script here, and one in the place of curate."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "sbatch": f'cp "$1" {tmp_path}/job.sh\nsetsid bash {tmp_path}/job.sh > {tmp_path}/job.log 2>&1 &\necho "Submitted batch job $!"',
        "scancel": 'kill -- "-$1"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from distributed import Client\n"
        "with Client(sys.argv[-1], timeout=30) as client:\n"
        "    result = client.submit(pow, 7, 3).result(timeout=60)\n"
        "keys = [oct(file.stat().st_mode & 0o777) for file in Path(os.environ['SHARED']).glob('.pair-curation-*/key.pem')]\n"
        "Path(os.environ['SHARED'], 'said.json').write_text(json.dumps([result, sys.argv[1:-1], sys.argv[-1][:6], keys]))\n"
        "sys.exit(3)\n"
    )
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{PATHS}")
    monkeypatch.setenv("SHARED", str(tmp_path))
    monkeypatch.setattr(slurm, "CURATE", (sys.executable, str(program)))
    options = ["--cores=1", "--memory=1GB", "--jobs=1", f"--shared={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["slurm.py", *options, "--", "build-selection", "--level", "2"])
    assert slurm.main() == 3
    wanted = [343, ["build-selection", "--level", "2", "--engine", "dask", "--scheduler"], "tls://", ["0o600"]]
    log = (tmp_path / "job.log").read_text()
    assert json.loads((tmp_path / "said.json").read_text()) == wanted, log
    assert "scheduler tls://" in capsys.readouterr().out
    assert not list(tmp_path.glob(".pair-curation-*"))


def test_slurm_refuses_a_time_too_short_and_a_missing_command(slurm, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="ten minutes"):
        slurm.minutes("00:05:00")
    with pytest.raises(SystemExit, match="HH:MM:SS"):
        slurm.minutes("1-00:00:00")
    with pytest.raises(SystemExit):
        slurm.parsed(["--cores=1", "--memory=1GB"], command=False)
    assert "nothing to do" in capsys.readouterr().err


# ---- Kubernetes


@pytest.fixture(scope="module")
def resources() -> dict[str, dict]:
    """The resources of kubernetes.yaml by kind."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return {one["kind"]: one for one in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text())}


def containers(resources: dict[str, dict]) -> dict[str, dict]:
    cluster = resources["DaskCluster"]["spec"]
    pods = [cluster["worker"]["spec"], cluster["scheduler"]["spec"], resources["Job"]["spec"]["template"]["spec"]]
    return {container["name"]: container for pod in pods for container in pod["containers"]}


def test_the_kubernetes_resources_fit_together(resources):
    assert list(resources) == ["DaskCluster", "DaskAutoscaler", "NetworkPolicy", "Job"]
    cluster, some = resources["DaskCluster"], containers(resources)
    name, service = cluster["metadata"]["name"], cluster["spec"]["scheduler"]["service"]
    assert len({container["image"] for container in some.values()}) == 1
    assert service["type"] == "ClusterIP"
    assert f"--scheduler=tcp://{name}-scheduler:{service['ports'][0]['port']}" in some["curate"]["args"]
    for port in service["ports"]:
        assert port["targetPort"] in {one["name"] for one in some["scheduler"]["ports"]}
    assert resources["DaskAutoscaler"]["spec"]["cluster"] == name
    policy = resources["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {"dask.org/cluster-name": name}
    allowed = [one.get("podSelector", {}).get("matchLabels") for one in policy["ingress"][0]["from"]]
    assert resources["Job"]["spec"]["template"]["metadata"]["labels"] in allowed


def test_credentials_come_from_a_secret_alone(resources):
    some = containers(resources)
    assert "env" not in some["scheduler"]  # it opens no file of the data set
    assert some["worker"]["env"] == some["curate"]["env"]
    assert [sorted(one) for one in some["worker"]["env"]] == [["name", "valueFrom"]] * 2
    assert all(list(one["valueFrom"]) == ["secretKeyRef"] for one in some["worker"]["env"])


@pytest.mark.parametrize("role", ["worker", "scheduler"])
def test_the_containers_start_dask_with_options_that_it_has(resources, role):
    pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    command = containers(resources)[role]["args"]
    assert command[:2] == ["dask", role]
    known = subprocess.run(
        ["dask", role, "--help"], env={**os.environ, "PATH": PATHS}, capture_output=True, text=True, check=True
    )
    assert {word for word in command if word.startswith("--")} <= set(known.stdout.split())


def test_the_image_is_made_of_what_the_package_needs():
    lines = (FILES / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "README.md", "curation"} <= set(copied)
    assert (
        any("'/source[cluster]'" in line for line in lines) and "cluster = [" in (ROOT / "pyproject.toml").read_text()
    )


def test_the_cluster_is_one_that_the_operator_knows(resources):
    """Against the operator's own definitions, in which nothing unknown is allowed, and against a cluster that its client makes."""
    package = pytest.importorskip("dask_kubernetes", reason="dask-kubernetes is not installed")
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    import yaml
    from dask_kubernetes.operator import make_cluster_spec

    definitions = Path(package.__file__).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
    for kind in ("DaskCluster", "DaskAutoscaler"):
        definition = yaml.safe_load((definitions / f"{kind.lower()}.yaml").read_text())
        version = definition["spec"]["versions"][0]
        assert resources[kind]["apiVersion"] == f"{definition['spec']['group']}/{version['name']}"
        schema = closed(version["schema"]["openAPIV3Schema"])
        jsonschema.validate({"spec": resources[kind]["spec"]}, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"spec": {**resources[kind]["spec"], "replica": 1}}, schema)
    mine = resources["DaskCluster"]
    theirs = make_cluster_spec(mine["metadata"]["name"], scheduler_service_type="ClusterIP")
    assert mine["spec"]["scheduler"]["service"] == theirs["spec"]["scheduler"]["service"]
    for role in ("worker", "scheduler"):
        container = mine["spec"][role]["spec"]["containers"][0]
        (other,) = theirs["spec"][role]["spec"]["containers"]
        assert container["name"] == other["name"] and container["ports"] == other["ports"]
        assert set(container) <= set(other)


def closed(schema: dict) -> dict:
    """An OpenAPI schema that allows no fields but its own, and what Kubernetes calls int-or-string."""
    schema = dict(schema)
    if schema.pop("x-kubernetes-int-or-string", False):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    if "properties" in schema:
        schema["properties"] = {name: closed(one) for name, one in schema["properties"].items()}
        schema.setdefault("additionalProperties", False)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            schema[inner] = closed(schema[inner])
    return schema
