"""A run with a peer, against the real engine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures_peer import PORT, content

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.sandbox.base import Peer, SandboxResult

    Run = Callable[..., SandboxResult]

pytestmark = pytest.mark.docker

GET = f"""
import hashlib, http.client, json, urllib.request
def get(path):
    with urllib.request.urlopen('http://127.0.0.1:{PORT}' + path, timeout=30) as answer:
        return answer.read()
"""


def answer(result: SandboxResult) -> Any:
    assert result.exit_code == 0, result.log_tail
    [line] = [line for line in result.log_tail.splitlines() if line.startswith("ANSWER ")]
    return json.loads(line.removeprefix("ANSWER "))


def test_every_step_talks_to_the_peer_and_the_verdict_says_so(run: Run, peer: Peer) -> None:
    result = run(
        GET + "assert get('/first') == b'/first'",
        GET + "print('ANSWER', json.dumps(get('/second').decode()))",
        peer=peer,
    )

    assert answer(result) == "/second"
    assert result.probe.startswith("isolated: no network")
    assert result.probe.endswith("; one peer: recorder")


def test_without_a_peer_nobody_listens_and_the_verdict_is_as_before(run: Run) -> None:
    result = run(
        "import os, socket\n"
        f"code = socket.socket().connect_ex(('127.0.0.1', {PORT}))\n"
        "print('ANSWER', '[%d, %d]' % (code, os.path.exists('/run/peer.sock')))"
    )

    assert answer(result) == [111, 0]
    assert result.probe.endswith("environment on the allow-list")


def test_many_at_once_and_large_bodies_both_ways(run: Run, peer: Peer) -> None:
    size = 20_000_000
    script = GET + (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(50) as pool: texts = list(pool.map(get, [f'/n{i}' for i in range(50)]))\n"
        "assert texts == [b'/n%d' % i for i in range(50)], texts\n"
        f"body = get('/size/{size}')\n"
        f"kept = http.client.HTTPConnection('127.0.0.1', {PORT})\n"
        "for i in range(300):\n kept.request('GET', f'/k{i}'); assert kept.getresponse().read() == b'/k%d' % i\n"
        "kept.request('POST', '/', body)\n"
        "print('ANSWER', json.dumps([hashlib.sha256(body).hexdigest(), kept.getresponse().read().decode()]))"
    )

    result = run(script, peer=peer)

    assert answer(result) == [hashlib.sha256(content(size)).hexdigest()] * 2


def test_a_body_cut_short_is_an_error_inside_and_nothing_hangs(run: Run, peer: Peer) -> None:
    script = GET + (
        "try:\n get('/cut/1000000')\nexcept http.client.IncompleteRead as error:\n"
        " print('ANSWER', json.dumps([len(error.partial), error.expected]))\n"
        "assert get('/on') == b'/on'"
    )

    assert answer(run(script, peer=peer)) == [1_000_000, 1_000_000]


def test_a_peer_that_nobody_listens_at_fails_the_run_before_any_step(run: Run, peer: Peer, output: Any) -> None:
    import socket  # noqa: PLC0415

    stale = peer.socket.with_name("stale")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    stale.chmod(0o666)

    result = run("open('/out/ran', 'w')", peer=type(peer)(stale, PORT))

    assert (result.exit_code, result.failed_step) == (1, "peer")
    assert "the peer cannot be reached" in result.log_tail
    assert list(output.iterdir()) == []
