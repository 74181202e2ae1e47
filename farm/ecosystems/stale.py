"""Saying what a lock was made for something else than: the same words for every language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.errors import LockStaleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan

__all__ = ["differences", "refuse_stale"]


def differences(plan: BuildPlan, lock: Lock, facts: Iterable[tuple[str, str, str]]) -> list[str]:
    """Return, in words, where the lock and the plan differ: in what every lock has, and in `facts`.

    Args:
        plan: what is to be built.
        lock: what was locked.
        facts: (what it is, as it was locked, as it is now) of what only the language knows.
    """
    common = (
        ("package", lock.package, str(plan.package)),
        ("target", lock.target, plan.target.key),
        ("builder image", lock.image, plan.build.image),
    )
    return [
        f"{what} (lock: {locked or 'none'}, now: {now or 'none'})"
        for what, locked, now in (*common, *facts)
        if locked != now
    ]


def refuse_stale(plan: BuildPlan, lock: Lock, changed: Sequence[str]) -> None:
    """Raise LockStaleError when anything changed, with the command that locks again."""
    if not changed:
        return
    command = f"farm lock {plan.package}"
    raise LockStaleError(
        f"the lock of {plan.package} for {lock.target} was made for something else: {'; '.join(changed)}",
        remedy=f"Run `{command}`, read the difference and commit it.",
        details={"changed": list(changed), "command": command},
    )
