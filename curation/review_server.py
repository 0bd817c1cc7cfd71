"""Review server: the review app as a process of its own. This package knows of it only the file that starts it.

Enters: what to open, where to listen. Leaves: an exit status, when it was stopped.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from curation.place import Place
from curation.verdicts import DATABASE_VARIABLE

APP = Path(__file__).resolve().parents[1] / "app" / "review.py"
LISTENING_S = 60.0  # until a server that started listens
LEAVING_S = 10.0  # for its end, once it was asked to end


class ServerError(ValueError):
    """The app cannot be started; the message says what to do."""


def serve(
    work: Place | None,
    out: Place | None,
    database: str | None,
    data_set: str | None,
    host: str,
    port: int,
    say: Callable[[str], None],
) -> int:
    """Start the app and stay until it ends, by Ctrl-C or SIGTERM -> exit status. say: gets its address once it listens.

    work: None opens the demo data set. Raises ServerError where the app is not installed, or the port is taken.
    """
    if find_spec("streamlit") is None or not APP.exists():
        raise ServerError("The review app is not installed: pip install 'pair-curation[app]'")
    _must_be_free(host, port)
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.address", host, "--server.port", str(port)]
    command += ["--logger.level", "warning", "--"]
    named = {"--work": work, "--out": out, "--data-set": data_set}
    words = [word for name, value in named.items() if value is not None for word in (name, str(value))]
    env = os.environ | {"PYTHONSAFEPATH": "1"}  # a folder "app" in the current directory is not this one
    if database:  # not among the words of the command, which everybody sees: it may hold a password
        env[DATABASE_VARIABLE] = database
    server = subprocess.Popen([*command, *words], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        if _listens(server, host, port):
            say(f"http://{_shown(host)}:{port}")
        return _status(server.wait())
    except KeyboardInterrupt:  # the terminal told the server, too
        return 0
    finally:
        _end(server)
        signal.signal(signal.SIGTERM, before)


def _must_be_free(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            asked.bind(address)
    except OSError as error:
        said = f"Cannot listen on {host}:{port}: {error.strerror}."
        raise ServerError(f"{said} Name another with --port or --host.") from None


def _listens(server: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Wait until the server takes connections; False where it ended before."""
    until = time.monotonic() + LISTENING_S
    while server.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection((_shown(host).strip("[]"), port), 1).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


def _shown(host: str) -> str:
    """The host as it stands in a URL of this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(LEAVING_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _status(status: int) -> int:
    """0 where it was told to end."""
    return 0 if status in (-signal.SIGTERM, -signal.SIGINT) else status
