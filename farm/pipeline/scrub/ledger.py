"""What is stored against what is named, in a file: two sets that can be larger than memory."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from farm.model.scrub import Orphans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Ledger", "Missing", "open_ledger"]

_TABLES = """
CREATE TABLE stored (key TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE named (key TEXT PRIMARY KEY, holder TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE mentioned (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Missing(NamedTuple):
    """Something that is named and not stored."""

    key: str
    holder: str
    """What names it first."""


class Ledger:
    """Keys that are stored and keys that are named. For one thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def stored(self, key: str, size: int) -> None:
        """Write down that an object is there."""
        self._database.execute("INSERT OR REPLACE INTO stored VALUES (?, ?)", (key, size))

    def named(self, key: str, holder: str) -> None:
        """Write down that an object has to be there, since `holder` names it."""
        self._database.execute("INSERT OR IGNORE INTO named VALUES (?, ?)", (key, holder))

    def mentioned(self, key: str) -> None:
        """Write down that something speaks of an object: it is no orphan, but need not be there either."""
        self._database.execute("INSERT OR IGNORE INTO mentioned VALUES (?)", (key,))

    def missing(self) -> Iterator[Missing]:
        """Yield what is named and not stored, sorted."""
        rows = self._database.execute(
            "SELECT key, holder FROM named WHERE key NOT IN (SELECT key FROM stored) ORDER BY key"
        )
        return (Missing(*row) for row in rows)

    def orphans(self) -> Orphans:
        """Return how much is stored that nothing names or mentions."""
        (row,) = self._database.execute(
            "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM stored "
            "WHERE key NOT IN (SELECT key FROM named) AND key NOT IN (SELECT key FROM mentioned)"
        )
        return Orphans(count=row[0], size=row[1])


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Give an empty ledger in a new file at `path`."""
    # Nobody reads it after a crash: no transaction needs to survive one.
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
        database.execute("BEGIN")
        yield Ledger(database)
