from __future__ import annotations

import pytest

from farm.catalog.nodes import Catalog, Node, closure
from farm.model.plan import PackageId, Target
from tests.fixtures_nodes import OTHER_TARGET, catalog_of, nid, node_of

JAVA = Target(platform="linux/amd64", interpreter="jdk17")


def java(group: str, artifact: str, version: str, *modules: str) -> Node:
    package = PackageId(ecosystem="maven", name=f"{group}:{artifact}", version=version)
    made = node_of("x")
    return Node(
        id=f"{package}:{JAVA.key}", package=package, reference=str(package), target=JAVA, image="jdk17",
        recipe=made.recipe, source=made.source, lock=made.lock, names=(package.name, *modules), needs=(),
    )  # fmt: skip


@pytest.fixture
def catalog() -> Catalog:
    return catalog_of(
        node_of("flit-core", version="3.9.0"),
        node_of("flit-core", version="3.12.0"),
        node_of("zope-interface", version="7.0"),
        node_of("zope-interface", version="7.0", target=OTHER_TARGET),
        java("org.example", "tool", "1.0", "org.example:tool-core"),
    )


@pytest.mark.parametrize("spelled", ["zope-interface", "Zope.Interface", "zope_interface"])
@pytest.mark.parametrize("version", ["7.0", "07.0", "v7.0"])
def test_a_lock_may_spell_name_and_version_otherwise(catalog: Catalog, spelled: str, version: str) -> None:
    expected = (nid("zope-interface", "7.0"), nid("zope-interface", "7.0", OTHER_TARGET))
    assert catalog.providers("python", spelled, version) == expected


def test_of_a_multi_module_project_each_module_is_provided(catalog: Catalog) -> None:
    (only,) = catalog.find("maven/org.example:tool")
    for name in ("org.example:tool", "org.example:tool-core"):
        assert catalog.providers("maven", name, "1.0") == (only.id,)
    assert catalog.providers("maven", "org.example:tool", "1.1") == ()
    assert catalog.providers("python", "org.example:tool", "1.0") == ()


def test_what_no_recipe_is_called_is_provided_by_none(catalog: Catalog) -> None:
    assert catalog.providers("python", "no such name!", "nor version") == ()
    assert catalog.providers("maven", "metadata", "") == ()


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("python/flit-core", [nid("flit-core", "3.12.0"), nid("flit-core", "3.9.0")]),
        ("python/Flit_Core@v3.9.0", [nid("flit-core", "3.9.0")]),
        (nid("zope-interface", "7.0", OTHER_TARGET), [nid("zope-interface", "7.0", OTHER_TARGET)]),
        ("python/zope-interface@7.0", [nid("zope-interface", "7.0"), nid("zope-interface", "7.0", OTHER_TARGET)]),
        ("python/zope-interface@7", [nid("zope-interface", "7.0"), nid("zope-interface", "7.0", OTHER_TARGET)]),
        ("python/zope-interface@seven", []),
        ("maven/org.example:tool@1.0", [f"maven/org.example:tool@1.0:{JAVA.key}"]),
        ("maven/org.example.tool", [f"maven/org.example:tool@1.0:{JAVA.key}"]),
        ("maven/org.example:other", []),
        ("python/flit-core@9", []),
        ("python/", []),
        ("flit-core", []),
        ("rust/flit-core", []),
        ("", []),
    ],
)
def test_what_a_reference_means(catalog: Catalog, reference: str, found: list[str]) -> None:
    assert [node.id for node in catalog.find(reference)] == found


def test_a_closure_holds_its_starts() -> None:
    edges = {"a": ["b"], "b": ["c", "a"], "d": ["a"]}
    assert closure(edges, ["a"]) == {"a", "b", "c"}
    assert closure(edges, []) == set()
