"""What a rebuild of the catalog is asked, what it is run by, and what it reports: values and protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from farm.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Executor", "NightOptions", "NightReport", "NodeEnd", "NodeRun", "State"]

State = Literal["built", "unchanged", "reproduced", "failed", "blocked", "drifted"]
"""built: anew. unchanged: the build key is known, and what is published is whole. reproduced: unchanged, rebuilt from
nothing, and the bytes agree. drifted: they do not. failed; blocked: something that it needs failed."""


class NightOptions(Value):
    """What a rebuild is asked to do."""

    only: tuple[str, ...] = ()
    """References; with everything that they need. Empty = the whole catalog."""
    keep_going: bool = True
    """A failure blocks what needs the failed package; False: nothing new is started after the first."""
    inputs: str = ""
    """Policy of this run; empty = the setting `policy.inputs`."""
    reverify: bool = False
    """Rebuild a rotating share of what is unchanged, and compare."""
    watch: bool = False
    """Look for moved tags and new releases."""
    retry_failed: bool = False
    """Try again also what is known to fail for its key."""
    force: bool = False
    """Build everything, known or not; equal bytes are expected."""


class NodeRun(Value):
    """A piece of work that is handed to an executor."""

    id: str
    """`python/click@8.1.8:cp311-linux-amd64`; in a cycle's stage with ` (stage 1)` after it."""
    ecosystem: str
    package: str
    """`python/click`."""
    needs: tuple[str, ...]
    """Ids of what it waited for, as far as an executor had to do with it."""


class NodeEnd(Value):
    """How a piece of work ended."""

    id: str
    state: State
    seconds: float = 0.0
    message: str = ""
    """One line."""
    error: str = ""
    """Class of the error."""
    exit_code: int = 0


class Executor(Protocol):
    """Runs pieces of work beside each other."""

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        """Begin `work` in the background."""
        ...

    def tell(self, end: NodeEnd, needs: tuple[str, ...]) -> None:
        """Show an end that took no work: blocked, or known to fail."""
        ...

    def wait(self) -> tuple[NodeEnd, ...]:
        """Block until at least one piece of work that was started has ended, and return those that have."""
        ...


class NightReport(Value):
    """How a rebuild went."""

    run_id: str
    exit_code: int
    """0: everything is built or unchanged."""
    started_on: str
    finished_on: str
    counts: dict[str, int]
    """State → number of nodes."""
    nodes: tuple[NodeEnd, ...]
    """Every node, by id; stages of cycles are not listed."""
    notes: tuple[str, ...] = ()
    """What else there is to say: cycles that settled, recipes that vanished, what was seen upstream."""
    rebuilt: dict[str, str] = Field(default_factory=dict)
    """Node → `own/all` of the inputs of its build."""
    oldest_unverified: str = ""
    """The node whose bytes were not rebuilt and compared for the longest time, and since when."""
    snapshot: str = ""
    """The signed snapshot that was published: its sequence and digest."""
    markdown: str = ""
    path: str = ""
    """Where the report was written on this host."""
