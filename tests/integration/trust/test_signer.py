"""The signer as a process: sign over the socket, verify with stock tools, stop, start, die."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.errors import SignerUnavailableError, SigningRefusedError, TrustRootError, VerificationError
from farm.model.base import sha256_file
from farm.trust.client import SignerClient
from farm.trust.identity import source_claim
from farm.trust.verify import load_trust, verify_file, verify_provenance

if TYPE_CHECKING:
    from farm.model.evidence import JobRecord, RunResult, SignedFile
    from tests.integration.trust.conftest import SignerProcess

pytestmark = pytest.mark.services


def sign(signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path) -> SignedFile:
    with SignerClient(signer.socket) as client:
        token = client.open_run(job)
        signed = client.sign(token, result, wheel.name, wheel)
        client.close_run(token)
    return signed


def sigstore(signer: SignerProcess, wheel: Path, bundle: str) -> subprocess.CompletedProcess[str]:
    """Verify with the stock command, in its own process."""
    path = wheel.with_name(wheel.name + ".bundle")
    path.write_text(bundle)
    command = [str(Path(sys.executable).with_name("sigstore")), "--trust-config", str(signer.trust_config)]
    command += ["verify", "identity", "--offline", "--bundle", str(path)]
    command += ["--cert-identity", signer.identity.builder, "--cert-oidc-issuer", signer.identity.issuer, str(wheel)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_both_bundles_verify_here_and_with_the_stock_command(
    signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path
) -> None:
    signed = sign(signer, job, result, wheel)
    assert signed.blob == sha256_file(wheel)
    trust = load_trust(signer.trust_config)
    uri, digest, _ = source_claim(job)
    pinned = signer.identity.model_copy(update={"source_uri": uri, "source_digest": digest})
    verify_file(trust, wheel, signed.signature, pinned)
    statement = verify_provenance(trust, wheel, signed.provenance, wheel.name, pinned)
    assert statement["predicate"]["buildDefinition"]["externalParameters"]["package"] == "demo-pkg"
    assert statement["predicate"]["runDetails"]["builder"]["id"] == signer.identity.builder

    for bundle in (signed.signature, signed.provenance):
        done = sigstore(signer, wheel, bundle)
        assert done.returncode == 0, done.stderr
        assert "OK" in done.stderr
    with wheel.open("r+b") as stream:
        stream.write(b"x")
    for bundle in (signed.signature, signed.provenance):
        assert sigstore(signer, wheel, bundle).returncode != 0


def test_a_restart_keeps_the_trust_root_the_log_and_the_open_run(
    signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path
) -> None:
    before = signer.trust_config.read_bytes()
    with SignerClient(signer.socket) as client:
        token = client.open_run(job)
        first = client.sign(token, result, wheel.name, wheel)
    assert signer.stop() == 0
    assert not signer.socket.exists()
    signer.start()
    assert signer.trust_config.read_bytes() == before
    with SignerClient(signer.socket) as client:
        assert (client.health().log_size, client.health().open_runs) == (2, 1)
        second = client.sign(token, result, wheel.name, wheel)
        assert client.health().log_size == 4
    trust = load_trust(signer.trust_config)
    for signed in (first, second):
        verify_file(trust, wheel, signed.signature, signer.identity)


def test_a_closed_run_signs_nothing(signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path) -> None:
    with SignerClient(signer.socket) as client:
        token = client.open_run(job)
        client.close_run(token)
        client.close_run(token)
        with pytest.raises(SigningRefusedError, match="closed"):
            client.sign(token, result, wheel.name, wheel)


def test_a_refusal_arrives_though_a_large_file_was_on_its_way(
    signer: SignerProcess, job: JobRecord, result: RunResult, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)
    with SignerClient(signer.socket) as client:
        token = client.open_run(job)
        with pytest.raises(SigningRefusedError, match="not a file of python/demo-pkg"):
            client.sign(token, result, "other-1.0-py3-none-any.whl", large)
        with pytest.raises(SigningRefusedError, match="no valid run token"):
            client.sign(token.model_copy(update={"token": "forged"}), result, "demo_pkg-1.0-py3-none-any.whl", large)


def test_two_workers_sign_at_once(signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path) -> None:
    signed: list[SignedFile] = []

    def work(number: int) -> None:
        with SignerClient(signer.socket) as client:
            token = client.open_run(job.model_copy(update={"run_id": f"run-{number}"}))
            signed.extend(client.sign(token, result, wheel.name, wheel) for _ in range(3))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(signed) == 12
    trust = load_trust(signer.trust_config)
    indexes = set()
    for file in signed:
        verify_file(trust, wheel, file.signature, signer.identity)
        for bundle in (file.signature, file.provenance):
            indexes.add(json.loads(bundle)["verificationMaterial"]["tlogEntries"][0]["logIndex"])
    assert indexes == {str(n) for n in range(24)}


def test_lost_keys_do_not_become_new_ones(signer: SignerProcess) -> None:
    before = signer.trust_config.read_bytes()
    keys, aside = signer.settings.data / "signer", signer.settings.data / "aside"
    signer.stop()
    keys.rename(aside)
    assert signer.launch().wait(timeout=60) == TrustRootError.exit_code
    assert not (keys / "authority").exists()
    assert f"remove {signer.trust_config} on purpose" in signer.log.read_text().replace("\n", " ")

    # Restored, it goes on; and the keys of another signer do not take its place either.
    shutil.rmtree(keys)
    aside.rename(keys)
    signer.start()
    signer.stop()
    keys.rename(aside)
    signer.trust_config.unlink()
    signer.start()
    signer.stop()
    signer.trust_config.write_bytes(before)
    assert signer.launch().wait(timeout=60) == TrustRootError.exit_code
    assert "has keys that" in signer.log.read_text()
    assert signer.trust_config.read_bytes() == before


def test_nobody_but_the_owner_reaches_the_socket_and_the_keys(signer: SignerProcess) -> None:
    assert stat.S_IMODE(signer.socket.stat().st_mode) == 0o600
    data = signer.settings.data / "signer"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in data.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(signer.trust_config.stat().st_mode) == 0o644


def test_a_second_signer_on_the_same_data_is_refused(signer: SignerProcess) -> None:
    second = signer.launch()
    assert second.wait(timeout=60) == 93
    assert "another signer uses" in signer.log.read_text()
    with SignerClient(signer.socket) as client:
        assert client.health().status == "ok"


def test_a_socket_left_by_a_dead_signer_is_replaced(signer: SignerProcess) -> None:
    signer.stop(signal.SIGKILL)
    assert signer.socket.exists()
    signer.start()


def test_no_signer_is_one_error(farm_signer: SignerProcess, job: JobRecord) -> None:
    with SignerClient(farm_signer.socket) as client:
        with pytest.raises(SignerUnavailableError, match="does not answer"):
            client.health()
        with pytest.raises(SignerUnavailableError):
            client.open_run(job)


def test_something_else_at_the_socket_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(2)

        def answer() -> None:
            asked = False
            while not asked:
                connection, _ = server.accept()
                with connection:
                    # The client looks whether anybody listens first, without a word.
                    asked = bool(connection.recv(4096))
                    if asked:
                        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        with SignerClient(path) as client, pytest.raises(SignerUnavailableError, match="does not answer like a signer"):
            client.health()
        thread.join(timeout=10)


def test_a_signer_that_dies_while_it_signs_is_one_error_and_loses_nothing(
    signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path
) -> None:
    with SignerClient(signer.socket) as client:
        token = client.open_run(job)
        # Stopped, it takes the connection and never answers; then it dies with the request in its hands.
        signer.processes[-1].send_signal(signal.SIGSTOP)
        killer = threading.Timer(1.0, lambda: signer.stop(signal.SIGKILL))
        killer.start()
        with pytest.raises(SignerUnavailableError):
            client.sign(token, result, wheel.name, wheel)
        killer.join()
        signer.start()
        signed = client.sign(token, result, wheel.name, wheel)
    verify_file(load_trust(signer.trust_config), wheel, signed.signature, signer.identity)


def test_a_changed_log_stops_the_signer_at_its_start(
    signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path
) -> None:
    sign(signer, job, result, wheel)
    signer.stop()
    log = signer.settings.data / "signer" / "authority" / "log.jsonl"
    data = bytearray(log.read_bytes())
    data[200] ^= 1
    log.write_bytes(data)
    assert signer.launch().wait(timeout=60) == VerificationError.exit_code
    assert "was changed" in signer.log.read_text()


def test_a_torn_log_does_not_stop_it(signer: SignerProcess, job: JobRecord, result: RunResult, wheel: Path) -> None:
    sign(signer, job, result, wheel)
    signer.stop(signal.SIGKILL)
    with (signer.settings.data / "signer" / "authority" / "log.jsonl").open("ab") as stream:
        stream.write(b'{"body":"')
    signer.start()
    sign(signer, job, result, wheel)
    assert "dropped a torn last line" in signer.log.read_text()


@pytest.mark.parametrize("namespace", ["", "farm", "http://farm.example", "https://"])
def test_a_namespace_that_is_no_uri_is_refused(farm_signer: SignerProcess, namespace: str) -> None:
    trust = farm_signer.settings.trust.model_copy(update={"namespace": namespace})
    farm_signer.settings = farm_signer.settings.model_copy(update={"trust": trust})
    assert farm_signer.launch().wait(timeout=60) == 12
    assert not farm_signer.trust_config.exists()


def test_keys_cannot_be_read_out_of_the_process_by_its_own_user(signer: SignerProcess) -> None:
    status = Path(f"/proc/{signer.processes[-1].pid}")
    limits = (status / "limits").read_text()
    assert any(line.split()[4:6] == ["0", "0"] for line in limits.splitlines() if line.startswith("Max core"))
    # Not dumpable: the kernel gives the process's memory to root, and its own user cannot attach.
    assert (status / "mem").stat().st_uid == 0
