"""`curate review`, and the app started from wherever it lies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from command import ROOT, curate
from typer.testing import CliRunner

from benchmarks.served import free_port
from curation import review_server
from curation.cli import app
from curation.review_server import ServerError, serve


def start(*words: object, cwd: Path, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "curation.cli", "review", *map(str, words)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | env
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_listens_there_alone_and_ends_when_it_is_told(work_copy, tmp_path, end):
    port = free_port()
    secret = "sqlite:////" + str(tmp_path / "s3cret.sqlite").lstrip("/")
    running = start("--work", work_copy, "--port", port, "--database", secret, cwd=tmp_path)
    try:
        assert running.stdout.readline() == f"http://127.0.0.1:{port}\n"
        (server,) = psutil.Process(running.pid).children()
        listening = [c.laddr for c in server.net_connections() if c.status == psutil.CONN_LISTEN]
        assert [tuple(address) for address in listening] == [("127.0.0.1", port)]
        assert "s3cret" not in " ".join(server.cmdline())  # where everybody on this machine reads it
        assert server.environ()["CURATE_DATABASE"] == secret
        running.send_signal(end)
        assert running.wait(20) == 0
        assert not server.is_running() and running.stderr.read() == ""
    finally:
        running.kill()


def test_a_port_that_is_taken_is_said_in_one_line(work_copy, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = curate("review", "--work", work_copy, "--port", port, cwd=tmp_path, check=False, env=_env())
    assert done.returncode == 2
    assert done.stderr == (
        f"curate: Cannot listen on 127.0.0.1:{port}: Address already in use. Name another with --port or --host.\n"
    )


def test_a_host_that_is_not_here_is_said_in_one_line():
    with pytest.raises(ServerError, match=r"Cannot listen on no\.such\.host\.invalid:8501"):
        serve(None, None, None, None, "no.such.host.invalid", 8501, print)


def test_without_streamlit_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(review_server, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["review"])
    assert done.exit_code == 2
    assert done.output == "curate: The review app is not installed: pip install 'pair-curation[app]'\n"


def test_what_is_no_work_directory_is_said_before_anything_starts(tmp_path):
    done = curate("review", "--work", tmp_path / "none", cwd=tmp_path, check=False, env=_env())
    assert done.returncode == 2 and done.stderr.startswith(f"curate: No data set yet in {tmp_path / 'none'}.")


def test_it_opens_the_usual_work_directory_where_there_is_one_else_the_demo(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(review_server, "serve", lambda *words: asked.append(words[:4]) or 0)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["review"]).exit_code == 0
    (tmp_path / ".curate").mkdir()
    (tmp_path / ".curate/work.json").write_text("{}")
    assert CliRunner().invoke(app, ["review", "--out", "m", "--data-set", "lakes"]).exit_code == 0
    assert asked == [(None, None, None, None), (Path(".curate"), Path("m"), None, "lakes")]


def test_the_server_that_ends_by_itself_gives_its_status(monkeypatch, tmp_path):
    broken = tmp_path / "review.py"
    broken.write_text("")
    monkeypatch.setattr(review_server, "APP", broken)
    monkeypatch.setattr(review_server.sys, "executable", shutil.which("false"))
    assert serve(None, None, None, None, "127.0.0.1", free_port(), lambda line: pytest.fail(line)) == 1


PROGRAM = """
import sys
from streamlit.testing.v1 import AppTest
sys.argv = ["review.py", "--work", {work!r}]
page = AppTest.from_file({script!r}, default_timeout=60)
page.query_params["reviewer"] = "anna"
page.run()
assert not page.exception and not page.error, (page.exception, page.error)
import app, curation
print(app.__file__, curation.__file__, [box.label for box in page.sidebar.selectbox])
"""


def test_a_checkout_that_is_not_installed_runs_from_any_directory(work_copy, tmp_path):
    checkout = tmp_path / "check out"
    for package in ("app", "curation"):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "elsewhere").mkdir()
    program = PROGRAM.format(work=str(work_copy), script=str(checkout / "app" / "review.py"))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "elsewhere", env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    here = [str(checkout / package / "__init__.py") for package in ("app", "curation")]
    assert done.stdout.strip() == f"{' '.join(here)} ['Reason', 'Order']"


def _env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}
