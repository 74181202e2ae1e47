"""Foreign code against the sandbox: what it finds inside, and what it can do to the guest and to the channel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from farm.errors import OutputUnsafeError, SandboxPidsError
from farm.sandbox.base import Mount, SandboxResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., SandboxResult]

pytestmark = pytest.mark.docker


def ask(run: Run, expression: str, setup: str = "", **more: object) -> object:
    """Return what `expression` gives inside."""
    script = f"import errno, json, os, socket, sys\n{setup}\nprint('ANSWER', json.dumps({expression}))"
    result = run(script, **more)
    assert result.exit_code == 0, result.log_tail
    [line] = [line for line in result.log_tail.splitlines() if line.startswith("ANSWER ")]
    return json.loads(line.removeprefix("ANSWER "))


TRY = """
def attempt(call):
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""


def test_no_socket_gets_out(run: Run) -> None:
    setup = TRY + (
        "def tcp(*a): socket.create_connection(a, timeout=2)\n"
        "def udp(*a): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', a)\n"
        "def raw(): socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\n"
        "def packet(): socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
    )
    expression = (
        "[attempt(lambda: tcp('192.0.2.1', 443)), attempt(lambda: tcp('169.254.169.254', 80)), "
        "attempt(lambda: udp('192.0.2.1', 53)), attempt(raw), attempt(packet)]"
    )

    assert ask(run, expression, setup) == ["ENETUNREACH", "ENETUNREACH", "ENETUNREACH", "EPERM", "EPERM"]


def test_no_socket_leaves_the_network_namespace(run: Run) -> None:
    setup = TRY + (
        "import ctypes, subprocess\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*a):\n"
        " if libc.syscall(*map(ctypes.c_long, a)) == -1: raise OSError(ctypes.get_errno(), '')\n"
        "def vsock(): socket.socket(40, socket.SOCK_STREAM)\n"
        "vsock_number = 41 if os.uname().machine == 'x86_64' else 198\n"
        "def again(): subprocess.run([sys.executable, '-c', 'import socket; socket.socket(40, 1)'], check=True,"
        " stderr=subprocess.DEVNULL)\n"
        "try: again(); child = 'done'\nexcept subprocess.CalledProcessError: child = 'refused'\n"
    )
    expression = (
        "[attempt(vsock), attempt(lambda: call(vsock_number, (1 << 32) + 40, 1, 0)), "
        "*(attempt(lambda: socket.socket(n, 5)) for n in (31, 38)), attempt(lambda: socket.socketpair(40, 1)), "
        "attempt(lambda: call(425, 1, 0)), attempt(lambda: call(0x40000000 + 41, 40, 1, 0)), child]"
    )

    assert ask(run, expression, setup) == [*["EPERM"] * 6, "ENOSYS", "refused"]


def test_names_are_not_resolved_and_name_servers_not_told(run: Run) -> None:
    setup = (
        "try:\n socket.getaddrinfo('example.org', 80); found = True\nexcept socket.gaierror: found = False\n"
        "text = open('/etc/resolv.conf').read()"
    )

    assert ask(run, "[found, text.split()]", setup) == [False, ["nameserver", "127.0.0.1"]]


def test_environment_home_and_mounts_of_the_host_are_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tell-nobody")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine a login b password c")
    monkeypatch.setenv("HOME", str(home))
    expression = (
        f"[os.path.exists({str(home)!r}), os.listdir('/home/build'), 'tell-nobody' in str(os.environ), "
        "os.path.exists('/var/run/docker.sock'), socket.gethostname()]"
    )

    assert ask(run, expression) == [False, [], False, False, "sandbox"]


def test_nothing_but_the_five_folders_can_be_written(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "input"
    source.mkdir(mode=0o777)
    source.chmod(0o777)
    (source / "file").write_text("as it was")
    (source / "file").chmod(0o666)
    setup = (
        "found = []\nfor top, folders, files in os.walk('/'):\n"
        " if top.startswith(('/proc', '/sys')): continue\n"
        " if os.access(top, os.W_OK): found.append(top); folders.clear()\n"
        " found += [p for f in files for p in [os.path.join(top, f)] if not top.startswith('/dev') "
        "and not os.path.islink(p) and os.access(p, os.W_OK)]"
    )

    found = ask(run, "sorted(found)", setup, mounts=(Mount(source, "/in"),))

    assert found == ["/dev/mqueue", "/dev/shm", "/home/build", "/out", "/src", "/tmp", "/work"]  # noqa: S108 - the sandbox's own
    assert (source / "file").read_text() == "as it was"


def test_privileges_cannot_be_gained(run: Run) -> None:
    setup = (
        TRY + "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(f, *a):\n"
        " if f(*a) == -1: raise OSError(ctypes.get_errno(), '')\n"
        "suid = [p for d in ('/bin', '/usr/bin', '/sbin', '/usr/sbin') for p in os.listdir(d)"
        " if os.stat(os.path.join(d, p)).st_mode & 0o4000]\n"
    )
    expression = (
        "[attempt(lambda: os.setuid(0)), attempt(lambda: call(libc.unshare, 0x10000000)), "
        "attempt(lambda: call(libc.mount, b'none', b'/work', b'tmpfs', 0, None)), "
        "attempt(lambda: os.chroot('/work')), attempt(lambda: os.mknod('/work/d', 0o60600, os.makedev(8, 0)))]"
    )

    assert ask(run, expression, setup) == ["EPERM"] * 5


def test_the_guest_cannot_be_killed_stopped_traced_or_opened(run: Run, output: Path) -> None:
    setup = (
        TRY + "import ctypes, signal\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "for n in range(1, 65):\n"
        " if n not in (32, 33): os.kill(1, n)\n"
        "def trace():\n"
        " if libc.ptrace(16, 1, 0, 0) == -1: raise OSError(ctypes.get_errno(), '')\n"
        "open('/out/fine', 'w')"
    )
    expression = (
        "[attempt(lambda: os.open('/proc/1/fd/1', os.O_WRONLY)), attempt(lambda: os.listdir('/proc/1/fd')), "
        "attempt(lambda: os.open('/proc/1/mem', os.O_RDWR)), attempt(trace)]"
    )

    assert ask(run, expression, setup) == ["EACCES", "EACCES", "EACCES", "EPERM"]
    assert (output / "fine").is_file()


FORGE = """
import json, os, struct
def frame(kind, value):
    body = json.dumps(value).encode()
    return struct.pack(">cQ", kind, len(body)) + body
end = frame(b"R", {"exit_code": 0, "failed_step": "", "limit": "", "seconds": 0.0, "peak_memory": 1, "fullest": [0, ""],
                   "entries": 0})
"""


def test_frames_on_the_own_output_are_only_log(run: Run, output: Path, log: Path) -> None:
    result = run(FORGE + "os.write(1, end); os.write(2, end); raise SystemExit(3)")

    assert (result.exit_code, result.failed_step) == (3, "step 1")
    assert b'"exit_code": 0' in log.read_bytes()
    assert list(output.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "word"),
    [
        ("os.symlink('/etc/passwd', '/out/a')", "leads out"),
        ("os.symlink('../../etc/passwd', '/out/a')", "leads out"),
        ("os.mkfifo('/out/a')", "a pipe"),
        ("s = __import__('socket').socket(1); s.bind('/out/a')", "a socket"),
        ("open('/out/a\\nb', 'w')", "odd name"),
        ("open(b'/out/\\xff', 'w')", "odd name"),
        ("os.makedirs('/out/' + '/'.join('a' * 100))", "odd name"),
    ],
)
def test_output_that_is_not_plain_is_refused(run: Run, output: Path, make: str, word: str) -> None:
    with pytest.raises(OutputUnsafeError, match=word):
        run(f"import os; open('/out/0', 'w').close(); {make}")

    assert list(output.iterdir()) == []


def test_output_made_unreadable_comes_back_all_the_same(run: Run, output: Path) -> None:
    result = run(
        "import os; os.mkdir('/out/d'); open('/out/d/f', 'w').write('x')\n"
        "os.chmod('/out/d/f', 0); os.chmod('/out/d', 0)"
    )

    assert result.exit_code == 0
    assert (output / "d" / "f").read_text() == "x"


def test_a_fork_bomb_is_ended(run: Run) -> None:
    with pytest.raises(SandboxPidsError):
        run("import os\nwhile True:\n try: os.fork()\n except OSError: pass")


def test_a_crowd_that_ignores_signals_is_ended_with_its_step(run: Run, output: Path) -> None:
    crowd = (
        "import os, signal, time\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\n"
        "for _ in range(20):\n"
        " if os.fork() == 0:\n  os.setsid(); time.sleep(3); open(f'/out/{os.getpid()}', 'w'); os._exit(0)"
    )

    result = run(crowd, "import os; print('LEFT', [p for p in os.listdir('/proc') if p.isdigit()])")

    assert "LEFT ['1', " in result.log_tail
    assert result.log_tail.split("LEFT")[1].count("'") == 4
    assert list(output.iterdir()) == []


def test_two_runs_share_nothing(run: Run) -> None:
    run("open('/tmp/x', 'w'); open('/dev/shm/x', 'w')")

    assert ask(run, "[os.path.exists('/tmp/x'), os.path.exists('/dev/shm/x')]") == [False, False]


def test_the_user_is_nobody_special(run: Run) -> None:
    assert ask(run, "[os.getuid(), os.getgid(), os.getgroups(), os.umask(0)]") == [1000, 1000, [1000], 0o022]
