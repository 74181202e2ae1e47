"""The guest's way through one run.

1. host → guest: what to probe; guest → host: a `P` frame with what the probe saw, before anything foreign is touched.
2. host → guest, only when the host is content with the probe: the work (archives to unpack, steps to run, the peer that
   they may talk to).
3. guest → host: an `E` frame for each entry of the output folder, then one `R` frame.

Being process 1 has two uses: nothing inside can kill the guest, and when a step ends the guest can kill everything that
the step left behind. The host believes nothing after step 2: foreign code runs as the same user as the guest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from farm.sandbox.guest.escape import collect, harden, process_status
from farm.sandbox.guest.files import send_output, unpack
from farm.sandbox.guest.limits import Watch
from farm.sandbox.guest.relay import Relay
from farm.sandbox.guest.sockets import restrict
from farm.sandbox.guest.wire import receive, say, send

POLL_SECONDS = 0.05


class Runner:
    """Runs steps one at a time; between steps no process of theirs is left."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._wake, wake_end = os.pipe()
        os.set_blocking(wake_end, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT):
            # Handlers, not "ignore": that would be inherited by the steps.
            signal.signal(number, lambda _number, _frame: None)

    def run(self, step: dict[str, Any], env: dict[str, str]) -> tuple[int, str]:
        """Run one step; return its exit code (128 + number for a signal) and the limit that was reached, if any."""
        try:
            process = subprocess.Popen(
                step["argv"], cwd=step["cwd"], env=env, stdin=subprocess.DEVNULL, stdout=2, stderr=2,
                start_new_session=True,
            )  # fmt: skip
        except BlockingIOError:
            self._watch.refused += 1
            return 126, self._watch.reached()
        except OSError as error:
            say(f"{step['name']}: cannot start {step['argv'][0]}: {error.strerror} ({error.filename})")
            return (127 if error.errno == errno.ENOENT else 126), self._watch.reached()
        with contextlib.suppress(OSError):
            # Where memory runs out the step goes first, not the guest that has to tell of it.
            Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000", encoding="ascii")
        code, limit = self._wait(process)
        self._end_all()
        return code, limit or self._watch.reached()

    def _wait(self, process: subprocess.Popen[bytes]) -> tuple[int, str]:
        while True:
            # Standard input says nothing more; that it ends means that the host's process is gone.
            ready, _, _ = select.select([self._wake, 0], [], [], POLL_SECONDS)
            if 0 in ready and not os.read(0, 1):
                self._end_all()
                raise SystemExit(0)
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
            code = self._reap(process)
            if code is not None:
                return code, ""
            limit = self._watch.reached()
            if limit:
                self._end_all()
                process.returncode = -signal.SIGKILL
                return 128 + signal.SIGKILL, limit

    @staticmethod
    def _reap(process: subprocess.Popen[bytes]) -> int | None:
        """Collect every child that has ended, orphans of the steps included."""
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if pid == 0:
                return code
            if pid == process.pid:
                signalled = os.WIFSIGNALED(status)
                code = 128 + os.WTERMSIG(status) if signalled else os.WEXITSTATUS(status)
                process.returncode = code

    @staticmethod
    def _end_all() -> None:
        """Kill whatever is left (-1 from process 1: everything in the container but itself) and wait for its end."""
        if os.getpid() != 1:
            msg = "the guest must be process 1"
            raise SystemExit(msg)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            while True:
                os.kill(-1, signal.SIGKILL)
                os.waitpid(-1, 0)


def work(job: dict[str, Any], watch: Watch, env: dict[str, str]) -> dict[str, Any]:
    """Unpack and run, with the relay to the peer if there is one; return what the `R` frame says about it."""
    runner = Runner(watch)
    for archive, target in job["unpack"]:
        try:
            unpack(archive, target)
        except (OSError, ValueError, tarfile.TarError) as error:
            say(f"cannot unpack {archive} to {target}: {error}")
            full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
            return {"exit_code": 1, "failed_step": f"unpack {archive}", "limit": "disk" if full else watch.reached()}
    if not job["peer"]:
        return run_steps(job, runner, env)
    try:
        relay = Relay(job["peer"]["port"], job["peer"]["path"])
        relay.start()
    except (OSError, RuntimeError) as error:
        say(f"the peer cannot be reached: {error}")
        return {"exit_code": 1, "failed_step": "peer", "limit": watch.reached()}
    with contextlib.closing(relay):
        return run_steps(job, runner, env)


def run_steps(job: dict[str, Any], runner: Runner, env: dict[str, str]) -> dict[str, Any]:
    """Run the steps until one fails; return what the `R` frame says about it."""
    answer: dict[str, Any] = {"exit_code": 0, "failed_step": "", "limit": ""}
    for step in job["steps"]:
        answer["exit_code"], answer["limit"] = runner.run(step, {**env, **job["env"], **step["env"]})
        if answer["exit_code"] or answer["limit"]:
            answer["failed_step"] = step["name"]
            break
    return answer


def main() -> None:
    """Speak with the host as the module says."""
    os.umask(0o022)
    host, out = sys.stdin.buffer, sys.stdout.buffer
    question = receive(host)
    status = process_status()
    # Before the probe, so that it tries the filter too.
    facts = collect(question["inputs"], status, restrict())
    facts["hardened"] = harden()
    send(out, b"P", facts)
    out.flush()
    job = receive(host)
    env = {"PATH": os.environ["PATH"], "HOME": job["home"]}
    watch = Watch(job["writable"], job["disk_bytes"])
    started = time.monotonic()
    answer = work(job, watch, env)
    answer["seconds"] = round(time.monotonic() - started, 3)
    answer["peak_memory"] = watch.peak_memory()
    answer["fullest"] = [round(watch.fullest, 3), watch.fullest_path]
    # What a run that reached a limit leaves behind is of no use to anybody.
    answer["entries"] = 0 if answer["limit"] else send_output(out, Path(job["output"]))
    send(out, b"R", answer)
    out.flush()
