"""Foreign code that has a peer, against everything that is not its peer, and against the relay."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docker.constants import DEFAULT_UNIX_SOCKET

from farm.errors import FarmError, IsolationError
from farm.sandbox.base import Mount, Peer, SandboxRequest, SandboxResult
from farm.sandbox.docker import DockerSandbox
from farm.sandbox.engine import connected
from tests.fixtures_peer import PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.config import Settings

    Run = Callable[..., SandboxResult]

pytestmark = pytest.mark.docker

START = f"""
import errno, http.client, json, os, signal, socket, sys, time
def get(path, timeout=20):
    connection = http.client.HTTPConnection('127.0.0.1', {PORT}, timeout=timeout)
    try:
        connection.request('GET', path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
def attempt(call):
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return 'done'
"""


def ask(run: Run, expression: str, setup: str = "", **more: object) -> Any:
    """Return what `expression` gives inside."""
    result = run(f"{START}\n{setup}\nprint('ANSWER', json.dumps({expression}))", **more)
    assert result.exit_code == 0, result.log_tail
    [line] = [line for line in result.log_tail.splitlines() if line.startswith("ANSWER ")]
    return json.loads(line.removeprefix("ANSWER "))


def engine_socket(settings: Settings) -> Path:
    with connected(settings) as api:
        address = str(api.base_url)
    return Path((DEFAULT_UNIX_SOCKET if "localhost" in address else address).split("://", 1)[1])


def test_nothing_but_the_peer_is_reached(run: Run, peer: Peer, settings: Settings) -> None:
    with connected(settings) as api:
        bridge = api.inspect_network("bridge")["IPAM"]["Config"][0]
    gateway = bridge.get("Gateway") or bridge["Subnet"].split("/")[0].rpartition(".")[0] + ".1"
    with closing(socket.create_server(("0.0.0.0", 0))) as everywhere:  # noqa: S104 - what must not be reached
        port = everywhere.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            everywhere.accept()[0].close()
        expression = (
            f"[get('/x'), *(attempt(lambda: socket.create_connection((host, {port}), timeout=2)) for host in "
            f"('127.0.0.1', {gateway!r}, '192.0.2.1', '169.254.169.254')), "
            "attempt(lambda: socket.create_connection(('::1', 80), timeout=2)), "
            "attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.53', 53))), "
            f"attempt(lambda: socket.socket(1).connect({str(engine_socket(settings))!r})), "
            "attempt(lambda: socket.socket(1).connect('/run/docker.sock')), found, "
            "sorted(name for _, name in socket.if_nameindex()), len(open('/proc/net/route').readlines())]"
        )
        setup = "try: found = bool(socket.getaddrinfo('example.org', 80))\nexcept socket.gaierror: found = False"

        got = ask(run, expression, setup, peer=peer)

        everywhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            everywhere.accept()
    assert got[:5] == ["/x", "ECONNREFUSED", "ENETUNREACH", "ENETUNREACH", "ENETUNREACH"]
    assert got[5] in {"ECONNREFUSED", "EADDRNOTAVAIL", "EAFNOSUPPORT"}
    assert got[6:] == ["ENETUNREACH", "ENOENT", "ENOENT", False, ["lo"], 1]


def test_what_lies_beside_the_socket_is_not_shown_and_the_socket_stays_as_it_is(run: Run, peer: Peer) -> None:
    peer.socket.with_name("secret").write_text("tell nobody")
    expression = (
        "[sorted(n for n in os.listdir('/run') if 'secret' in n or n == 'peer.sock'), "
        "attempt(lambda: os.unlink('/run/peer.sock')), attempt(lambda: os.chmod('/run/peer.sock', 0o777)), "
        "attempt(lambda: os.rename('/run/peer.sock', '/tmp/s'))]"
    )

    found, *refused = ask(run, expression, peer=peer)

    assert found == ["peer.sock"]
    assert set(refused) <= {"EROFS", "EBUSY", "EPERM", "EACCES", "EXDEV"}
    assert peer.socket.is_socket()


def test_the_relay_cannot_be_killed_and_its_port_not_be_taken(run: Run, peer: Peer) -> None:
    setup = (
        "for n in range(1, 65):\n"
        " if n not in (32, 33): os.kill(1, n)\n"
        "threads = sorted(os.listdir('/proc/1/task'))\n"
        "def take():\n"
        " with socket.socket() as other:\n"
        "  for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT): other.setsockopt(socket.SOL_SOCKET, option, 1)\n"
        f"  other.bind(('127.0.0.1', {PORT})); other.listen()\n"
    )
    expression = (
        "[len(threads), *(attempt(lambda: os.kill(int(t), 9)) for t in threads), get('/still'), attempt(take), "
        "get('/there')]"
    )

    got = ask(run, expression, setup, peer=peer)

    assert got[0] == 2
    assert got[-3:] == ["/still", "EADDRINUSE", "/there"]


def test_who_holds_every_connection_open_ends_like_anybody_else(run: Run, peer: Peer, output: Path) -> None:
    flood = (
        "held = []\n"
        "for n in range(1200):\n"
        " one = socket.socket(); one.settimeout(5); held.append(one)\n"
        f" one.connect(('127.0.0.1', {PORT})); one.sendall(b'GET /size/1000000 HTTP/1.1\\r\\n')\n"
    )

    # Without an end of the header nobody answers, and the last ones are not even accepted.
    result = run(START + flood + "open('/out/done', 'w')", START + "assert get('/next') == '/next'", peer=peer)

    assert (result.exit_code, result.failed_step) == (0, ""), result.log_tail
    assert (output / "done").is_file()


def test_what_a_step_leaves_open_is_closed_before_the_next(run: Run, peer: Peer) -> None:
    leave = (
        "if os.fork() == 0:\n"
        " os.setsid(); held = [socket.create_connection(('127.0.0.1', %d)) for _ in range(50)]\n"
        " open('/tmp/held', 'w'); time.sleep(60)\n"
        "while not os.path.exists('/tmp/held'): time.sleep(0.01)\n"
    )
    count = (
        "def established():\n"
        " return sum(line.split()[3] == '01' for line in open('/proc/net/tcp').readlines()[1:])\n"
        "until = time.monotonic() + 10\n"
        "while established() and time.monotonic() < until: time.sleep(0.05)\n"
        "assert not established()\nassert get('/x') == '/x'\n"
    )

    result = run(START + leave % PORT, START + count, peer=peer)

    assert (result.exit_code, result.failed_step) == (0, ""), result.log_tail


def test_the_engine_is_nobodys_peer_nor_input(run: Run, settings: Settings) -> None:
    engine = engine_socket(settings)

    with pytest.raises(FarmError, match="the peer"):
        run("pass", peer=Peer(engine, PORT))
    with pytest.raises(FarmError, match="neither a file nor a folder"):
        run("pass", mounts=(Mount(engine, "/in/s"),))


@pytest.mark.parametrize("peers", [0, 1])
def test_a_socket_that_comes_along_is_noticed_before_any_step(
    run: Run, peer: Peer, settings: Settings, output: Path, peers: int, tmp_path: Path
) -> None:
    class Weak(DockerSandbox):
        def options(self, request: SandboxRequest) -> dict[str, Any]:
            return {**super().options(request), "binds": [f"{engine_socket(settings)}:{self.target}:ro"]}

        target = ""

    given = peer if peers else None
    tmp_path.chmod(0o755)
    inputs = tmp_path / "inputs"
    inputs.mkdir(mode=0o755)
    (inputs / "deep").mkdir(mode=0o755)
    (inputs / "deep" / "s").hardlink_to(peer.socket)
    with pytest.raises(IsolationError, match=r"\"/in/deep/s\" is no file, folder or link: socket"):
        run("open('/out/ran', 'w')", mounts=(Mount(inputs, "/in"),), peer=given)
    weak = Weak(settings)
    for target in ("/run/other.sock", "/run/docker.sock"):
        weak.target = target
        with pytest.raises(IsolationError, match=f"{target} is mounted from outside"):
            run("open('/out/ran', 'w')", sandbox=weak, peer=given)
    assert list(output.iterdir()) == []


def test_a_network_beside_the_peer_is_noticed(run: Run, peer: Peer, settings: Settings, output: Path) -> None:
    class Weak(DockerSandbox):
        def options(self, request: SandboxRequest) -> dict[str, Any]:
            return {**super().options(request), "network_mode": "bridge"}

    with pytest.raises(IsolationError, match="network interface"):
        run("open('/out/ran', 'w')", sandbox=Weak(settings), peer=peer)
    assert list(output.iterdir()) == []
