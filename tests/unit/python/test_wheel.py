from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.ecosystems.python.guards import guard_wheel
from farm.ecosystems.python.record import read_record, write_record
from farm.ecosystems.python.sboms import components, normalise
from farm.ecosystems.python.wheel import differences, write_canonical
from farm.errors import GuardError
from farm.model.base import sha256_file
from tests.fixtures_python import plan_of, wheel_files, write_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EPOCH = 1700000001
INFO = "sample-1.0.dist-info"


def canonical(source: Path, target: Path, epoch: int = EPOCH, replaced: Mapping[str, bytes] | None = None) -> Path:
    facts = guard_wheel(source, plan_of("sample", "1.0"), filename="sample-1.0-py3-none-any.whl")
    target.unlink(missing_ok=True)
    with source.open("rb") as file:
        write_canonical(file, facts.entries, target, dist_info=INFO, epoch=epoch, replaced=replaced, label=source.name)
    return target


def changes(source: Path) -> tuple[str, ...]:
    facts = guard_wheel(source, plan_of("sample", "1.0"), filename="sample-1.0-py3-none-any.whl")
    with source.open("rb") as file:
        return differences(file, facts.entries, dist_info=INFO, epoch=EPOCH, label=source.name)


FILES = st.dictionaries(
    st.from_regex(r"sample/[a-z]{1,6}(\.py)?", fullmatch=True),
    st.binary(max_size=500).map(lambda data: b"#" + data),
    min_size=1,
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(files=FILES, data=st.data())
def test_the_same_content_gives_the_same_bytes(tmp_path: Path, files: dict[str, bytes], data: st.DataObject) -> None:
    good = wheel_files(files=files)
    order = data.draw(st.permutations(list(good)))
    one = canonical(write_wheel(tmp_path, good, "one.whl"), tmp_path / "one")
    other_raw = write_wheel(tmp_path, {name: good[name] for name in order}, "other.whl", packed=False)
    other = canonical(other_raw, tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()
    guard_wheel(one, plan_of("sample", "1.0"), filename="sample-1.0-py3-none-any.whl")
    with zipfile.ZipFile(one) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in files} == files


def test_canonical_form(tmp_path: Path) -> None:
    source = tmp_path / "in.whl"
    with zipfile.ZipFile(source, "w") as out:
        for name, content in reversed(wheel_files(files={"sample/b.py": b"", "sample/a.sh": b"#!/bin/sh\n"}).items()):
            header = zipfile.ZipInfo(name, (2031, 3, 4, 5, 6, 8))
            header.external_attr = (0o100775 if name.endswith(".sh") else 0o100600) << 16
            header.extra = b"UT\5\0\1\0\0\0\0"
            out.writestr(header, content)
        out.mkdir("sample/empty")
    found = changes(source)
    assert found == ("order", "times", "modes", "folders", "extra fields", "stored entries", "RECORD")
    target = canonical(source, tmp_path / "out.whl")
    assert changes(target) == ()
    with zipfile.ZipFile(target) as archive:
        infos = archive.infolist()
        assert [i.filename for i in infos] == [
            "sample/a.sh", "sample/b.py", f"{INFO}/METADATA", f"{INFO}/WHEEL", f"{INFO}/RECORD",
        ]  # fmt: skip
        assert {i.date_time for i in infos} == {(2023, 11, 14, 22, 13, 20)}
        assert [i.external_attr >> 16 for i in infos] == [0o100755, *[0o100644] * 4]
        assert not any(i.extra or i.flag_bits for i in infos)
    assert sha256_file(canonical(target, tmp_path / "again.whl")) == sha256_file(target)


def test_times_before_1980_are_1980(tmp_path: Path) -> None:
    target = canonical(write_wheel(tmp_path, wheel_files()), tmp_path / "out.whl", epoch=0)
    with zipfile.ZipFile(target) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_embedded_documents_are_in_record(tmp_path: Path) -> None:
    source = write_wheel(tmp_path, wheel_files())
    document = b"x" * 3_000_000
    target = canonical(source, tmp_path / "out.whl", replaced={f"{INFO}/sboms/farm.cdx.json": document})
    facts = guard_wheel(target, plan_of("sample", "1.0"), filename="sample-1.0-py3-none-any.whl")
    assert f"{INFO}/sboms/farm.cdx.json" in {entry.name for entry in facts.entries}
    with zipfile.ZipFile(target) as archive:
        assert archive.read(f"{INFO}/sboms/farm.cdx.json") == document
        assert archive.namelist()[-1] == f"{INFO}/RECORD"


def test_record_itself_cannot_be_given(tmp_path: Path) -> None:
    source = write_wheel(tmp_path, wheel_files())
    with pytest.raises(GuardError, match="cannot be written"):
        canonical(source, tmp_path / "out.whl", replaced={f"{INFO}/RECORD": b""})


@given(st.lists(st.tuples(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1), st.integers(0, 10**9)),
                unique_by=lambda row: row[0]))  # fmt: skip
def test_record_round_trip(rows: list[tuple[str, int]]) -> None:
    digest = "sha256=" + "A" * 43
    own = "\0own"
    full = [(name, digest, size) for name, size in rows]
    assert read_record(write_record(full, own), own, "x") == {name: (digest, size) for name, size in rows}


def test_sboms_of_other_tools_lose_only_what_is_of_the_run() -> None:
    def document(order: int, when: str, tools: object) -> bytes:
        parts = [{"name": "libfoo", "version": "1", "bom-ref": "a"}, {"name": "libbar", "version": "2", "bom-ref": "b"}]
        return json.dumps(
            {
                "bomFormat": "CycloneDX",
                "serialNumber": f"urn:uuid:{when}",
                "metadata": {"timestamp": when, "tools": tools, "component": {"name": "sample", "version": "1.0"}},
                "components": [*parts[::order], {"name": "sample", "version": "1.0"}],
                "dependencies": [{"ref": "sample", "dependsOn": ["a", "b"][::order]}],
            }
        ).encode()

    for form in (lambda tools: tools, lambda tools: {"components": tools}):
        one, other = (
            normalise(document(order, when, form([{"name": "auditwheel", "version": when}])), EPOCH, "x")
            for order, when in ((1, "2020"), (-1, "2021"))
        )
        assert one == other
        assert json.loads(one)["metadata"]["tools"] == form([{"name": "auditwheel"}])
    assert json.loads(one)["metadata"]["timestamp"] == "2023-11-14T22:13:21Z"
    assert [(note.name, note.value) for note in components(one)] == [("libbar", "2"), ("libfoo", "1")]


def test_documents_that_are_no_json_stay_as_they_are() -> None:
    assert normalise(b"<bom/>", EPOCH, "x") == b"<bom/>"
    assert components(b"<bom/>") == ()
    assert components(b"[1]") == ()
    assert normalise(b'{"b":1,"a":[2,1]}', EPOCH, "x") == b'{"a":[2,1],"b":1}'
