"""What `farm submit --wait` of a package that is known already costs, by who costs it, and the memory of its process.

Nothing is built, so what is measured is the way there. Needs `farm up`; the first round builds the package if need be.
Usage: python benchmarks/flow_speed.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from farm.config import Settings, load_settings
from farm.flows import client
from farm.flows.api import ask, connect
from farm.services.registry import read_record

REFERENCE = "python/markupsafe"
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Round:
    """One submit; all but the last in seconds."""

    picked_up: float
    """From the submit to the worker's start of a process."""
    started: float
    """From there to the first line of the flow: Python, Prefect and farm are imported."""
    farm: float
    """The flow itself: farm's steps as Prefect's tasks."""
    told: float
    """From the end of the flow to the end of the command: the last lines of the log are waited for."""
    peak_mb: float

    @property
    def total(self) -> float:
        return self.picked_up + self.started + self.farm + self.told


class FlowProcess(threading.Thread):
    """Watches for the process that the worker starts, and for its peak."""

    def __init__(self, worker: int) -> None:
        super().__init__(daemon=True)
        self._worker = psutil.Process(worker)
        self._over = threading.Event()
        self.begun = 0.0
        self.peak_mb = 0.0

    def run(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            for child in self._worker.children(recursive=True):
                self._look(child)

    def _look(self, process: psutil.Process) -> None:
        try:
            if "prefect.engine" not in process.cmdline():
                return
            self.begun = self.begun or time.time()  # its own start time is counted from boot: clocks were set since
            self.peak_mb = max(self.peak_mb, _peak_mb(process.pid))
        except (psutil.Error, OSError):
            return  # it has ended

    def end(self) -> None:
        self._over.set()
        self.join()


def _peak_mb(pid: int) -> float:
    """Return the kernel's own high-water mark (`VmHWM`), so that no moment is missed between two looks."""
    with open(f"/proc/{pid}/status", encoding="ascii") as stream:  # noqa: PTH123 - no pathlib object per look
        found = [line.split()[1] for line in stream if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else 0.0


def one(settings: Settings) -> Round:
    """Submit once, follow to the end."""
    worker = read_record(settings, "worker")
    assert worker is not None, "run `farm up` first"
    watch = FlowProcess(worker.pid)
    watch.start()
    begun = time.time()
    run = client.submit(settings, REFERENCE)
    outcome = client.follow(settings, run.id, lambda _line: None)
    ended = time.time()
    watch.end()
    assert outcome.exit_code == 0, outcome.message
    with connect(settings) as api:
        states = ask(api, "GET", f"/flow_run_states/?flow_run_id={run.id}")
    times = {s["type"]: datetime.fromisoformat(s["timestamp"]).astimezone(UTC).timestamp() for s in states}
    running, over = times["RUNNING"], times["COMPLETED"]
    return Round(
        picked_up=watch.begun - begun,
        started=running - watch.begun,
        farm=over - running,
        told=ended - over,
        peak_mb=watch.peak_mb,
    )


def main(rounds: int) -> None:
    """Measure and print."""
    settings = load_settings()
    one(settings)  # builds what is not built, warms what can be warm
    done = [one(settings) for _ in range(rounds)]
    total = statistics.median(r.total for r in done)
    print(f"{'submit --wait, no-op':<44} {total:6.2f} s")
    for words, values in (
        ("  Prefect: the worker picks the run up", [r.picked_up for r in done]),
        ("  Prefect: process start and imports", [r.started for r in done]),
        ("  farm: the flow", [r.farm for r in done]),
        ("  client: until the log is complete", [r.told for r in done]),
    ):
        middle = statistics.median(values)
        print(f"{words:<44} {middle:6.2f} s  {middle / total:4.0%}")
    print(f"{'peak memory of the flow process':<44} {max(r.peak_mb for r in done):6.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
