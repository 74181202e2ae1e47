from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from farm.catalog.watch import Observation, watch
from tests.fixtures_maven_http import Repository, serving
from tests.fixtures_upstream import GIT, MAVEN, NOW, OLD, YOUNG, YOUNG_UNTIL, Home, upload

if TYPE_CHECKING:
    from farm.recipe.model import Recipe
    from tests.fixtures_python import IndexDouble
    from tests.fixtures_source import GitRepo


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def seen(home: Home, *recipes: Recipe) -> list[Observation]:
    return list(watch(home.runtime, recipes, NOW))


def kinds(home: Home, *recipes: Recipe) -> list[tuple[str, str]]:
    return [(found.package, found.kind) for found in seen(home, *recipes)]


def test_all_as_it_was_pinned_is_nothing_to_tell(home: Home, index: IndexDouble, repo: GitRepo) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "-a", "-m", "one", "v1.0")
    assert (
        seen(
            home,
            home.recipe({"1.0": digest(upload(index, "1.0")), "1.1": digest(upload(index, "1.1"))}),
            home.recipe({"1.0": commit}, GIT, "other"),
            home.recipe({"1.0": commit}, "git: https://git.example.test/demo", "without-tag"),
        )
        == []
    )


def test_archives_that_changed_went_or_were_withdrawn(home: Home, index: IndexDouble) -> None:
    pins = {version: digest(upload(index, version)) for version in ("1.0", "1.1", "1.2", "1.3")}
    recipe = home.recipe(pins)
    files = index.projects["sample"]
    files["sample-1.0.tar.gz"] = b"evil"
    files["sample-1.1-py3-none-any.whl"] = files.pop("sample-1.1.tar.gz")
    index.yanked.add("sample-1.2.tar.gz")
    del files["sample-1.3.tar.gz"]
    assert kinds(home, recipe) == [
        ("python/sample@1.0", "changed-archive"),
        ("python/sample@1.1", "gone-archive"),
        ("python/sample@1.2", "yanked"),
        ("python/sample@1.3", "gone-archive"),
    ]
    changed = seen(home, recipe)[0]
    assert (changed.expected, changed.found) == (pins["1.0"], digest(b"evil"))
    assert changed.alarming
    assert changed.found in changed.message
    index.projects.clear()
    assert [kind for _, kind in kinds(home, recipe)] == ["gone-archive"] * 4


def test_a_second_sdist_beside_the_pinned_one_changes_nothing(home: Home, index: IndexDouble) -> None:
    recipe = home.recipe({"1.0": digest(upload(index, "1.0"))})
    index.projects["sample"]["sample-1.0.zip"] = b"another"
    assert seen(home, recipe) == []


def test_tags_that_moved_or_went(home: Home, repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    for tag in ("v1.0", "v1.1", "v1.2"):
        repo.git("tag", tag)
    recipe = home.recipe({"1.0": first, "1.1": first, "1.2": first}, GIT)
    second = repo.commit({"a": "evil"})
    repo.git("tag", "-f", "v1.1")
    repo.git("tag", "-d", "v1.2")
    moved, gone = seen(home, recipe)
    assert (moved.package, moved.kind, moved.expected, moved.found) == ("python/sample@1.1", "moved-tag", first, second)
    assert moved.alarming
    assert second in moved.message
    assert (gone.package, gone.kind, gone.found) == ("python/sample@1.2", "gone-tag", "")


def test_a_tag_of_one_version_alone(home: Home, repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    repo.git("tag", "the-first")
    recipe = home.recipe({"1.0": first}, "git: https://git.example.test/demo", more="    tag: the-first\n")
    assert seen(home, recipe) == []
    repo.git("tag", "-d", "the-first")
    assert kinds(home, recipe) == [("python/sample@1.0", "gone-tag")]


def test_what_is_new(home: Home, index: IndexDouble) -> None:
    recipe = home.recipe({"1.0": digest(upload(index, "1.0"))})
    upload(index, "1.1", OLD)
    upload(index, "1.2", YOUNG)
    eligible, cooling = seen(home, recipe)
    assert (eligible.package, eligible.kind, eligible.version, eligible.state) == (
        "python/sample@1.0", "new-release", "1.1", "eligible",
    )  # fmt: skip
    assert (cooling.version, cooling.state, cooling.until[:10]) == ("1.2", "cooling", YOUNG_UNTIL)
    assert not cooling.alarming


def test_maven_archives_are_looked_at_and_not_fetched(home: Home) -> None:
    source = "org/example/sample/1.0/sample-1.0-source-release.zip"
    with serving(Repository({source: b"source"})) as upstream:
        home.maven_repository = upstream.url
        upstream.put(
            "org/example/sample/maven-metadata.xml",
            b"<metadata><versioning><versions><version>1.0</version></versions></versioning></metadata>",
        )
        recipe = home.recipe({"1.0": digest(b"source")}, MAVEN, "org.example:sample")
        assert seen(home, recipe) == []
        upstream.put(source, b"evil")
        assert kinds(home, recipe) == [("maven/org.example:sample@1.0", "changed-archive")]
        upstream.checksums = False  # nobody states what it is
        upstream.put(f"{source}.sha1", hashlib.sha1(b"evil").hexdigest().encode())  # noqa: S324 - what repositories have
        assert seen(home, recipe) == []
        del upstream.files[source]
        assert kinds(home, recipe) == [("maven/org.example:sample@1.0", "gone-archive")]
        assert {got["method"] for got in upstream.seen if got["path"] == source} == {"HEAD"}


def test_an_archive_by_its_address(home: Home) -> None:
    with serving(Repository({"1.0.tar.gz": b"archive"})) as host:
        recipe = home.recipe(
            {"1.0": digest(b"archive"), "1.1": "b" * 64}, f"archive:\n    url: '{host.url}/{{version}}.tar.gz'"
        )
        assert kinds(home, recipe) == [("python/sample@1.1", "gone-archive")]


def test_what_could_not_be_looked_at_is_told_for_each_version(home: Home, index: IndexDouble, repo: GitRepo) -> None:
    pins = {"1.0": digest(upload(index, "1.0")), "1.1": digest(upload(index, "1.1"))}
    commit = repo.commit({"a": "1"})
    git = home.recipe({"1.0": commit}, GIT.replace("demo", "nowhere"), "other")
    python = home.recipe(pins)
    address = home.recipe({"1.0": "a" * 64}, "archive:\n    url: 'http://127.0.0.1:9/{version}.tar.gz'", "third")
    assert kinds(home, git, python, address) == [("python/other@1.0", "unknown"), ("python/third@1.0", "unknown")]
    home.python_index = "http://127.0.0.1:9/simple/"
    found = seen(home, python)
    assert [(one.package, one.kind) for one in found] == [
        ("python/sample@1.0", "unknown"),
        ("python/sample@1.1", "unknown"),
    ]
    assert "does not answer" in found[0].message
