from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import (
    DockerUnavailableError,
    FarmError,
    ImageMissingError,
    IsolationError,
    SandboxDiskError,
    SandboxMemoryError,
    SandboxPidsError,
    SandboxTimeoutError,
)
from farm.model.plan import Limits
from farm.sandbox.base import Mount, SandboxRequest, SandboxResult, Step, Unpack
from farm.sandbox.bootstrap import encode, guest_message
from farm.sandbox.docker import DockerSandbox
from farm.sandbox.engine import LABEL, connected, remove_orphans

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.config import Settings

    Run = Callable[..., SandboxResult]

pytestmark = pytest.mark.docker

SMALL = Limits(time_seconds=30, memory_mb=64, cpus=1, pids=32, disk_mb=16, output_mb=4)


def containers(settings: Settings) -> list[str]:
    """Containers of this process: others may be running sandboxes too."""
    with connected(settings) as api:
        found = api.containers(all=True, filters={"label": [f"{LABEL}=1"]})
    return [c["Id"] for c in found if f"/{os.getpid()}/" in c["Labels"]["farm.owner"]]


def test_what_lies_in_out_comes_back(run: Run, output: Path, log: Path, settings: Settings) -> None:
    result = run(
        "import os; print('one'); os.makedirs('/out/sub'); open('/out/sub/a', 'w').write('A')",
        "import os, sys; print('two', file=sys.stderr); os.symlink('sub/a', '/out/link')\n"
        "os.chmod('/out/sub/a', 0o700)",
    )

    assert (result.exit_code, result.failed_step) == (0, "")
    assert (output / "link").read_text() == "A"
    assert (output / "sub" / "a").stat().st_mode & 0o777 == 0o755
    assert log.read_text().splitlines()[1:] == ["one", "two"]
    assert result.probe.startswith("isolated: no network")
    assert result.usage.seconds < 20
    assert result.usage.peak_memory_mb
    assert containers(settings) == []


def test_the_first_step_that_fails_ends_the_run(run: Run, output: Path) -> None:
    result = run("open('/out/a', 'w')", "print('because'); raise SystemExit(7)", "open('/out/never', 'w')")

    assert (result.exit_code, result.failed_step) == (7, "step 2")
    assert "because" in result.log_tail
    assert [p.name for p in output.iterdir()] == ["a"]


def test_a_signal_is_an_exit_code(run: Run) -> None:
    assert run("import os; os.abort()").exit_code == 128 + 6


def test_a_missing_command_is_a_failing_step(settings: Settings, image_id: str, output: Path, log: Path) -> None:
    request = SandboxRequest(
        image_id=image_id, label="x", steps=(Step("no such", ("nonesuch",)),), limits=SMALL, output=output, log=log
    )

    result = DockerSandbox(settings).run(request)

    assert (result.exit_code, result.failed_step) == (127, "no such")
    assert "cannot start nonesuch" in result.log_tail


def test_the_environment_is_the_request_and_path_and_home(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_TEST_SECRET", "hunter2")

    result = run("import os; print(sorted(os.environ)); print(os.environ['A'], os.environ['HOME'])", env={"A": "b"})

    # Python itself adds LC_CTYPE where no locale is set.
    assert "['A', 'HOME', 'LC_CTYPE', 'PATH']\nb /home/build\n" in result.log_tail
    assert "hunter2" not in result.log_tail


def test_inputs_are_readable_and_archives_unpacked(run: Run, tmp_path: Path) -> None:
    archive, wheels = tmp_path / "source.tar", tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "w.whl").write_text("wheel")
    with tarfile.open(archive, "w") as tar:
        for name, mode in (("pkg/setup.py", 0o644), ("pkg/configure", 0o755)):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = 4, mode, 1_000_000_000
            tar.addfile(info, io.BytesIO(b"text"))
        link = tarfile.TarInfo("pkg/link")
        link.type, link.linkname = tarfile.SYMTYPE, "setup.py"
        tar.addfile(link)

    result = run(
        "import os; print(oct(os.stat('pkg/configure').st_mode), int(os.stat('pkg/setup.py').st_mtime))\n"
        "print(open('pkg/link').read(), open('/in/wheels/w.whl').read()); open('pkg/new', 'w')",
        mounts=(Mount(archive, "/in/source.tar"), Mount(wheels, "/in/wheels")),
        unpack=(Unpack("/in/source.tar", "/src"),),
    )

    assert result.exit_code == 0, result.log_tail
    assert "0o100755 1000000000\ntext wheel\n" in result.log_tail


def test_an_archive_that_leaves_its_folder_fails_the_run(run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "source.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("../work/x"))

    result = run("print('never')", mounts=(Mount(archive, "/in/a"),), unpack=(Unpack("/in/a", "/src"),))

    assert (result.exit_code, result.failed_step) == (1, "unpack /in/a")
    assert "leaves the folder" in result.log_tail


def test_processes_do_not_outlive_their_step(run: Run, output: Path) -> None:
    result = run(
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
        '\'import time; time.sleep(3); open("/out/late", "w")\'], start_new_session=True)',
        "import time; time.sleep(4)",
    )

    assert result.exit_code == 0
    assert list(output.iterdir()) == []


def test_time_runs_out(run: Run, settings: Settings, output: Path) -> None:
    with pytest.raises(SandboxTimeoutError, match="longer than 2 s"):
        run(
            "open('/out/a', 'w').close(); import time; time.sleep(10_000)",
            limits=SMALL.model_copy(update={"time_seconds": 2}),
        )

    assert containers(settings) == []
    assert list(output.iterdir()) == []


@pytest.mark.parametrize(
    "script",
    [
        "x = bytearray(10**9)",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(10**9)'])",
    ],
    ids=["itself", "a child, unnoticed"],
)
def test_memory_runs_out(run: Run, script: str) -> None:
    with pytest.raises(SandboxMemoryError, match="64 MiB"):
        run(script, limits=SMALL)


@pytest.mark.parametrize("where", ["/src", "/work", "/home/build", "/tmp", "/out"])  # noqa: S108 - inside
def test_disk_runs_out(run: Run, where: str) -> None:
    with pytest.raises(SandboxDiskError, match="16 MiB"):
        run(f"f = open('{where}/big', 'wb')\nwhile True: f.write(bytes(1 << 20))", limits=SMALL)


def test_disk_runs_out_and_the_evidence_is_removed(run: Run) -> None:
    script = (
        "import os\ntry:\n open('/work/big', 'wb').write(bytes(40 << 20))\n"
        "except OSError as e:\n print(e)\nos.unlink('/work/big')\nraise SystemExit(1)"
    )
    with pytest.raises(SandboxDiskError):
        run(script, limits=SMALL)


def test_disk_runs_out_over_all_folders_together(run: Run) -> None:
    with pytest.raises(SandboxDiskError, match="together"):
        run("for d in ('/src', '/work', '/tmp'): open(d + '/x', 'wb').write(bytes(7 << 20))", limits=SMALL)


def test_empty_files_are_disk_too(run: Run) -> None:
    limits = SMALL.model_copy(update={"time_seconds": 60})
    with pytest.raises((SandboxDiskError, SandboxMemoryError)):
        run("i = 0\nwhile True:\n i += 1\n open(f'/tmp/{i}', 'w').close()", limits=limits)


def test_output_above_its_cap(run: Run, output: Path) -> None:
    with pytest.raises(SandboxDiskError, match="'big' has 5242880 bytes"):
        run("open('/out/big', 'wb').write(bytes(5 << 20))", limits=SMALL)

    assert list(output.iterdir()) == []


def test_a_sparse_file_is_as_large_as_it_says(run: Run) -> None:
    with pytest.raises(SandboxDiskError, match="larger than allowed"):
        run("open('/out/big', 'wb').truncate(1 << 40)", limits=SMALL)


def test_processes_run_out(run: Run) -> None:
    script = (
        "import subprocess\ntry:\n p = [subprocess.Popen(['sleep', '20']) for _ in range(100)]\n"
        "except BlockingIOError: pass"
    )
    with pytest.raises(SandboxPidsError, match="more than 32"):
        run(script, limits=SMALL)


def test_threads_count_as_processes(run: Run) -> None:
    script = (
        "import threading, time\n"
        "for _ in range(100): threading.Thread(target=time.sleep, args=(20,), daemon=True).start()"
    )
    with pytest.raises(SandboxPidsError):
        run(script, limits=SMALL)


def test_a_log_that_floods_does_not_fill_the_host(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.sandbox.docker._LOG_BYTES", 100_000)

    result = run("for i in range(200000): print('line', i)")

    assert result.exit_code == 0
    assert log.stat().st_size < 110_000
    assert result.log_tail.endswith("line 199999\n")


def test_a_weakened_container_is_noticed_before_any_step(run: Run, settings: Settings, output: Path) -> None:
    class Weak(DockerSandbox):
        def options(self, request: SandboxRequest) -> dict[str, Any]:
            return {**super().options(request), **self.change}

        change: dict[str, Any]

    for change, word in (
        ({"network_mode": "bridge"}, "network interface"),
        ({"network_mode": "host"}, "network interface"),
        ({"read_only": False}, "/ is not mounted read-only"),
        ({"cap_drop": []}, "capabilities CapBnd"),
        ({"security_opt": ["seccomp=unconfined", "no-new-privileges:true"]}, "Seccomp is 0"),
        ({"security_opt": []}, "NoNewPrivs is 0"),
        ({"pid_mode": "host"}, "process namespace"),
        ({"privileged": True}, "device"),
        ({"binds": ["/etc:/host:ro"]}, "/host is mounted from outside"),
        ({"binds": ["/run:/run:ro"]}, "/run is mounted from outside"),
        ({"group_add": ["0"]}, "group ids"),
    ):
        weak = Weak(settings)
        weak.change = change
        with pytest.raises(IsolationError) as caught:
            run("open('/out/ran', 'w')", sandbox=weak)
        assert word in caught.value.message, change
        assert list(output.iterdir()) == []
    assert containers(settings) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("def restrict() -> str:", 'def restrict() -> str:\n    return ""'), "socket AF_UNSPEC: EAFNOSUPPORT"),
        (("if machine not in MACHINES:", "if True:"), "no socket filter for the machine"),
        (("_MODE_FILTER = 22, 2", "_MODE_FILTER = 22, 9"), "the kernel refused the socket filter"),
    ],
    ids=["left out", "unknown machine", "refused"],
)
def test_a_socket_filter_that_is_not_there_is_noticed(
    run: Run, output: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], word: str
) -> None:
    whole = guest_message().decode()
    head, _, body = whole.partition("\n")
    assert int(head) == len(body.encode())
    modules = [[name, text.replace(*change)] for name, text in json.loads(body)]
    assert modules != json.loads(body)
    monkeypatch.setattr("farm.sandbox.docker.guest_message", lambda: encode(modules))

    with pytest.raises(IsolationError) as caught:
        run("open('/out/ran', 'w')")

    assert word in caught.value.message
    assert list(output.iterdir()) == []


def test_sockets_of_the_own_network_work(run: Run) -> None:
    result = run(
        "import select, socket, subprocess, sys\n"
        "for family, place in ((socket.AF_INET, ('127.0.0.1', 0)), (socket.AF_UNIX, '/tmp/s')):\n"
        " server = socket.socket(family); server.bind(place); server.listen()\n"
        " client = socket.socket(family); client.connect(server.getsockname()); client.sendall(b'x')\n"
        " print(server.accept()[0].recv(1))\n"
        "one, other = socket.socketpair(); one.sendall(b'y'); print(other.recv(1))\n"
        "socket.socket(socket.AF_INET6).close(); socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()\n"
    )

    assert result.exit_code == 0, result.log_tail
    assert result.log_tail.endswith("b'x'\nb'x'\nb'y'\n")


def test_a_variable_of_the_engine_is_noticed(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaky(DockerSandbox):
        def _create(self, api: Any, name: str, request: SandboxRequest) -> None:
            create = api.create_container
            monkeypatch.setattr(
                api, "create_container", lambda *a, **k: create(*a, **{**k, "environment": {"TOKEN": "x"}})
            )
            super()._create(api, name, request)

    with pytest.raises(IsolationError, match='"TOKEN" is visible'):
        run("pass", sandbox=Leaky(settings))


def test_an_image_without_python_gives_no_report(run: Run, settings: Settings) -> None:
    class Mute(DockerSandbox):
        def options(self, request: SandboxRequest) -> dict[str, Any]:
            return {**super().options(request), "tmpfs": {"/usr/lib/python3.11": "size=1m"}}

    with pytest.raises(IsolationError, match="gave no report"):
        run("pass", sandbox=Mute(settings))


def test_no_engine(run: Run, settings: Settings, tmp_path: Path) -> None:
    sandbox = settings.sandbox.model_copy(update={"docker_host": f"unix://{tmp_path}/none.sock"})

    with pytest.raises(DockerUnavailableError, match="no Docker Engine answers at unix://"):
        run("pass", sandbox=DockerSandbox(settings.model_copy(update={"sandbox": sandbox})))


def test_no_such_runtime(run: Run, settings: Settings) -> None:
    sandbox = settings.sandbox.model_copy(update={"runtime": "nonesuch"})

    with pytest.raises(DockerUnavailableError, match="nonesuch"):
        run("pass", sandbox=DockerSandbox(settings.model_copy(update={"sandbox": sandbox})))


def test_no_image(settings: Settings, output: Path, log: Path) -> None:
    request = SandboxRequest(image_id="sha256:" + "0" * 64, label="x", steps=(), limits=SMALL, output=output, log=log)

    with pytest.raises(ImageMissingError):
        DockerSandbox(settings).run(request)


def test_an_input_that_the_sandbox_could_not_read_is_named(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)

    with pytest.raises(FarmError, match="secret is not readable"):
        run("pass", mounts=(Mount(secret, "/in/secret"),))


def test_an_interrupt_removes_the_container(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("farm.sandbox.docker.receive_output", interrupt)

    with pytest.raises(KeyboardInterrupt):
        run("import time; time.sleep(30)")

    assert containers(settings) == []


def test_what_a_killed_farm_leaves_ends_by_itself_and_is_removed(
    settings: Settings, image_id: str, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from farm.config import load_settings\n"
        "from farm.model.plan import Limits; from farm.sandbox.base import *\n"
        "from farm.sandbox.docker import DockerSandbox\n"
        "w = Path(sys.argv[2]); (w / 'o').mkdir()\n"
        "DockerSandbox(load_settings()).run(SandboxRequest(image_id=sys.argv[1], label='orphan', limits=Limits(),\n"
        "    steps=(Step('s', ('sh', '-c', 'echo ready; sleep 300')),), output=w / 'o', log=w / 'log'))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, image_id, str(tmp_path)], cwd=Path(__file__).parents[3])

    def mine() -> list[dict[str, Any]]:
        with connected(settings) as api:
            found = api.containers(all=True, filters={"label": [f"{LABEL}=1"]})
        return [c for c in found if f"/{child.pid}/" in c["Labels"]["farm.owner"]]

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    try:
        until(lambda: bool(mine()) and mine()[0]["State"] == "running")
        assert remove_orphans(settings) == 0 or mine()
    finally:
        child.kill()
        child.wait()
    until(lambda: mine()[0]["State"] == "exited")

    assert remove_orphans(settings) >= 1
    assert mine() == []
