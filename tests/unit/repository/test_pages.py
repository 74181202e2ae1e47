from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypi_simple import IndexPage, ProjectPage

from farm.ecosystems.python.repository.model import PublishedFile, file_key
from farm.ecosystems.python.repository.pages import project_html, project_json, root_html, root_json, with_base
from farm.model.base import BlobRef
from farm.model.plan import PackageId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GOLDEN = Path(__file__).with_name("golden")
ROOT = "https://index.example.org/some/prefix/"
BASE = f"{ROOT}simple/sample-lib/"


def record(version: str = "1.0", tag: str = "py3-none-any", **more: object) -> PublishedFile:
    digest = str(more.pop("digest", "9" * 64))
    values: dict[str, object] = {
        "package": PackageId(ecosystem="python", name="sample-lib", version=version),
        "filename": f"sample_lib-{version}-{tag}.whl",
        "blob": BlobRef(sha256=digest, size=1234),
        "parts": {".metadata": BlobRef(sha256="b" * 64, size=10), ".sigstore.json": BlobRef(sha256="c" * 64, size=1)},
        "provenance": BlobRef(sha256="d" * 64, size=20),
        "requires_python": ">=3.9,<4",
        "upload_time": "2026-11-22T10:00:00.123456Z",
        "recipe": "python/sample-lib/recipe.yaml",
        "run_uri": "urn:uuid:00000000-0000-4000-8000-000000000000",
        "build_key": "0" * 64,
    }
    return PublishedFile.model_validate(values | more)


RECORDS = (
    record("1.10", digest="1" * 64),
    record("1.9", digest="2" * 64, yanked="broken <on> & \"some\" 'hosts'"),
    record("1.9", "cp311-cp311-linux_x86_64", digest="3" * 64, yanked=True, requires_python=""),
    record("2.0+local.1", digest="4" * 64),
)


@pytest.mark.parametrize(("name", "render"), [("project.json", project_json), ("project.html", project_html)])
def test_pages_are_as_reviewed(name: str, render: Callable[[str, Iterable[PublishedFile]], bytes]) -> None:
    data = render("sample-lib", RECORDS)
    expected = GOLDEN / name
    assert data == expected.read_bytes(), f"review the new page, then put it into {expected}"


def test_a_client_reads_the_same_facts_from_both() -> None:
    served = with_base(project_json("sample-lib", RECORDS), ROOT)
    plain = ProjectPage.from_json_data(json.loads(served), base_url=BASE)
    served = with_base(project_html("sample-lib", RECORDS), ROOT)
    html = ProjectPage.from_html("sample-lib", served.decode(), base_url=BASE)
    assert [p.filename for p in plain.packages] == [p.filename for p in html.packages]
    for ours, theirs in zip(plain.packages, html.packages, strict=True):
        assert ours.url == theirs.url.partition("#")[0]
        assert ours.url.startswith("https://index.example.org/some/prefix/files/")
        assert ours.digests == theirs.digests
        assert ours.requires_python == theirs.requires_python
        assert ours.metadata_digests == theirs.metadata_digests == {"sha256": "b" * 64}
        assert (ours.is_yanked, ours.yanked_reason or None) == (theirs.is_yanked, theirs.yanked_reason or None)
        assert ours.provenance_url == theirs.provenance_url
        assert str(ours.provenance_url).startswith(f"{ROOT}integrity/sample-lib/")
    assert plain.versions == ["1.9", "1.10", "2.0+local.1"]
    assert plain.packages[0].size == 1234
    assert plain.packages[0].upload_time is not None


def test_root_lists_each_project_once() -> None:
    names = ["zope-x", "attrs", "attrs"]
    page = IndexPage.from_json_data(json.loads(root_json(names)))
    assert page.projects == ["attrs", "zope-x"]
    assert IndexPage.from_html(root_html(names).decode()).projects == ["attrs", "zope-x"]


@pytest.mark.parametrize("base", ['https://a"b/', "https://a b/", "javascript:x/", "https://host", "https://h/<x>/"])
def test_a_base_that_is_no_plain_address_changes_nothing(base: str) -> None:
    page = project_html("sample-lib", RECORDS)
    assert with_base(page, base) == page


@given(st.text(max_size=40))
def test_only_the_key_gets_the_base(text: str) -> None:
    hostile = f'"provenance":"../../ data-provenance="../../{text}'
    for render in (project_json, project_html):
        page = render("sample-lib", [record(yanked=hostile)])
        assert with_base(page, ROOT).count(ROOT.encode()) == 1


@given(st.permutations(RECORDS))
def test_pages_do_not_depend_on_the_order_of_the_listing(records: list[PublishedFile]) -> None:
    assert project_json("sample-lib", records) == project_json("sample-lib", RECORDS)
    assert project_html("sample-lib", records) == project_html("sample-lib", RECORDS)


@given(st.text(max_size=60))
def test_no_text_of_a_record_breaks_out_of_the_html(text: str) -> None:
    page = project_html("sample-lib", [record(yanked=text, requires_python=text)]).decode()
    assert page.count("<a ") == page.count("</a>") == 1
    parsed = ProjectPage.from_html("sample-lib", page, base_url=BASE)
    assert len(parsed.packages) == 1
    assert parsed.packages[0].url.partition("#")[0].endswith(file_key(record().blob.sha256, record().filename))
