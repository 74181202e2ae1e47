"""A rebuild of the catalog: what it is asked to do, what runs its nodes, what it reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from farm.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Executor", "InputsPolicy", "NightOptions", "NightReport", "NodeEnd", "NodeRun", "NodeState"]

InputsPolicy = Literal["", "rebuilt-first", "rebuilt-only", "locked"]
"""What a build takes of what the catalog rebuilds; empty = what the settings say."""

NodeState = Literal["built", "unchanged", "reproduced", "failed", "blocked", "drifted"]


class NightOptions(Value):
    """What a rebuild is asked to do."""

    only: tuple[str, ...] = ()
    """References; with everything that they need. Empty = the whole catalog."""
    keep_going: bool = True
    """A failure blocks its dependants only; False = nothing new is started after the first."""
    inputs: InputsPolicy = ""
    """Policy of this run; empty = the setting `policy.inputs`."""
    reverify: bool = False
    """Rebuild a rotating share of what is unchanged and compare."""
    watch: bool = False
    """Look for moved tags and new releases."""
    retry_failed: bool = False
    """Repeat also what is remembered as failing for its key."""
    force: bool = False
    """Build although the results are known; equal bytes are expected."""


class NodeRun(Value):
    """A recipe version for one target, as it is started."""

    id: str
    """`python/click@8.1.8:cp311-linux-amd64`."""
    ecosystem: str
    package: str
    """`python/click`."""
    needs: tuple[str, ...] = ()
    """Ids of the nodes that it waited for."""
    title: str = ""
    """What people call it: the id, without its target where there is only one. Empty = the id."""

    @property
    def shown(self) -> str:
        """Return what people call it."""
        return self.title or self.id


class NodeEnd(Value):
    """How a node ended."""

    id: str
    state: NodeState
    seconds: float = 0.0
    message: str = ""
    """One line."""
    error: str = ""
    """Name of the error's class; empty where there is none."""
    exit_code: int = 0
    """Of the error's class."""


class Executor(Protocol):
    """Runs nodes. It decides nothing: when a node is started, what it needs has ended and there is room for it.

    What is unchanged need not be started; a blocked node is started with work that only says so.
    """

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        """Begin `work` in the background.

        An exception that leaves `work` is the node's failure; it does not leave the executor.
        """
        ...

    def wait(self) -> tuple[NodeEnd, ...]:
        """Return the nodes that were started and have ended since the last call, at least one.

        Raises:
            RuntimeError: nothing is running.
        """
        ...


class NightReport(Value):
    """What a rebuild came to."""

    ended_with: int
    """Exit code: 0, or that of the error's class which says why it is not."""
    nodes: tuple[NodeEnd, ...]
    markdown: str
    """The report for people."""
    path: str
    """The file that holds `markdown`; empty where none was written."""
    counts: dict[str, int]
    """How many nodes ended in which state."""
    started_on: str
    """RFC 3339, UTC."""
    finished_on: str
    warnings: tuple[str, ...] = ()
    """What went wrong beside the nodes: a hook that failed."""
    alarms: tuple[str, ...] = ()
    """What was changed upstream after it was pinned: a tag that moved, an archive with other bytes."""
    notes: tuple[str, ...] = ()
    """What else there is to say: cycles that settled, recipes that vanished, what was seen upstream."""
    rebuilt: dict[str, str] = Field(default_factory=dict)
    """Node → `own/all` of the files that its build read."""
    oldest_unverified: str = ""
    """The node whose bytes were not rebuilt and compared for the longest time, and since when."""
    snapshot: str = ""
    """Sequence and digest of the signed snapshot that was published; empty where none was."""

    @property
    def summary(self) -> str:
        """Return the counts in one line."""
        return ", ".join(f"{count} {state}" for state, count in self.counts.items() if count) or "nothing to do"
