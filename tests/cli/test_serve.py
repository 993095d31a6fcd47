"""``apolar serve``: starts, says where, answers, ends with Ctrl-C, and says clearly why it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from apolar import page
from apolar.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["serve", *arguments])


def serving():
    return subprocess.Popen(
        [sys.executable, "-c", "from apolar.cli import main; main()", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


SILENT = {
    "nothing": b"",
    "half a request": b"GET / HTTP/1.1\r\nHost: loc",
    "half a body": b"GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",
}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
def test_connections_that_ask_nothing_do_not_block_the_page(sent):
    process, opened = serving(), []
    try:
        address = process.stdout.readline().split()[3]
        port = int(address.rstrip("/").rpartition(":")[2])
        for _ in range(300):
            opened.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            opened[-1].sendall(sent)
        for _ in range(3):
            with urllib.request.urlopen(address, timeout=10) as response:
                assert response.status == 200
    finally:
        for connection in opened:
            connection.close()
        process.kill()
        assert "Traceback" not in process.communicate()[1]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_starts_answers_and_ends_with_control_c():
    process = serving()
    try:
        line = process.stdout.readline()
        assert line.startswith("apolar is at http://127.0.0.1:")
        address = line.split()[3]
        with urllib.request.urlopen(f"{address}?f=x%5E3&at=2") as response:
            assert "f(x) = x^3" in response.read().decode()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert (out.strip(), err) == ("", "")


def test_a_port_in_use_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = run("--port", port)
    assert result.exit_code == 1
    assert f"127.0.0.1 port {port} cannot be listened on: Address already in use" in result.stderr
    assert "--port 0" in result.stderr


@pytest.mark.parametrize("host", ["256.0.0.1", "no such host", "x" * 80])
def test_an_address_that_does_not_exist_is_a_clear_error(host):
    result = run("--host", host, "--port", "0")
    assert result.exit_code == 1
    assert "cannot be listened on" in result.stderr


@pytest.mark.parametrize("arguments, opened", [((), []), (("--open",), ["http://127.0.0.1:1/"])])
def test_the_browser_is_opened_on_request(monkeypatch, arguments, opened):
    seen = []
    monkeypatch.setattr("webbrowser.open", seen.append)
    monkeypatch.setattr(page, "serve", lambda host, port, started: started("http://127.0.0.1:1/"))
    result = run(*arguments)
    assert result.exit_code == 0
    assert "apolar is at http://127.0.0.1:1/" in result.output
    assert seen == opened


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_ports_that_do_not_exist(port):
    assert run("--port", port).exit_code == 2


def test_help_has_an_example():
    assert "apolar serve --open" in run("--help").output
