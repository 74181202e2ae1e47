from __future__ import annotations

import io
import os
import random
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.source.tree import scan, tree_digest, write_tar

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."}
)
FILES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=64), st.booleans()), max_size=8)
FOLDERS = st.dictionaries(st.sampled_from(["", "a", "a/b", "ä", "z" * 120]), FILES, max_size=4)


def write(root: Path, folders: dict[str, dict[str, tuple[bytes, bool]]], order: random.Random) -> None:
    items = [(folder, name, *what) for folder, files in folders.items() for name, what in files.items()]
    order.shuffle(items)
    for folder, name, content, executable in items:
        place = root / folder
        place.mkdir(parents=True, exist_ok=True)
        path = place / name
        if path.is_dir():
            continue
        path.write_bytes(content)
        path.chmod(0o700 if executable else 0o600)
        os.utime(path, (order.randrange(2**31), order.randrange(2**31)))


@settings(max_examples=60, deadline=None)
@given(FOLDERS, st.integers(0, 3))
def test_digest_and_tar_do_not_depend_on_order_times_or_umask(
    folders: dict[str, dict[str, tuple[bytes, bool]]], seed: int
) -> None:
    # A name that is also a folder would depend on the order: such trees cannot exist on disk.
    folders = {
        f: {n: w for n, w in files.items() if f or n not in {"a", "ä", "z" * 120}} for f, files in folders.items()
    }
    folders = {f: {n: w for n, w in files.items() if f != "a" or n != "b"} for f, files in folders.items()}
    results = []
    for number in (seed, seed + 10):
        with TemporaryDirectory() as name:
            root = Path(name) / "tree"
            root.mkdir()
            write(root, folders, random.Random(number))  # noqa: S311 - no secret
            entries = scan(root)
            tar = Path(name) / "tree.tar"
            write_tar(root, entries, 1_600_000_000, tar)
            results.append((tree_digest(entries), tree_digest(reversed(entries)), tar.read_bytes()))
            extracted = Path(name) / "extracted"
            extracted.mkdir()
            with tarfile.open(tar) as archive:
                archive.extractall(extracted, filter="data")
            assert scan(extracted) == entries
    assert results[0] == results[1]
    assert results[0][0] == results[0][1]


def test_digest_sees_names_modes_kinds_and_content(tmp_path: Path) -> None:
    def digest(name: str, content: bytes, mode: int, link: str = "") -> str:
        root = tmp_path / f"{name}-{mode}-{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        if link:
            (root / name).symlink_to(link)
        else:
            (root / name).write_bytes(content)
            (root / name).chmod(mode)
        return tree_digest(scan(root))

    digests = [
        digest("a", b"x", 0o644),
        digest("b", b"x", 0o644),
        digest("a", b"y", 0o644),
        digest("a", b"x", 0o755),
        digest("a", b"", 0, link="x"),
    ]
    assert len(set(digests)) == len(digests)
    assert digest("a", b"x", 0o600) == digests[0]


def test_tar_is_normalised(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (root / "sub" / "run.sh").chmod(0o777)
    (root / "link").symlink_to("./sub/run.sh")
    write_tar(root, scan(root), 1_700_000_000, tmp_path / "t.tar")
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "t.tar").read_bytes()), mode="r:") as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["link", "sub", "sub/run.sh"]
    assert {m.mtime for m in members} == {1_700_000_000}
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert [m.mode for m in members] == [0o777, 0o755, 0o755]
    assert members[0].linkname == "./sub/run.sh"
