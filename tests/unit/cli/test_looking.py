"""`farm catalog`, `farm graph`, `farm why-rebuild`, `farm why-not`, as commands about recipes in a folder."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from defusedxml.ElementTree import fromstring

from farm.catalog.graph import make_graph
from farm.catalog.load import load_catalog
from farm.catalog.outlook import STATES
from farm.catalog.state import CatalogState, load_state, save_state
from farm.cli.app import main
from farm.cli.listing import State
from farm.config import load_settings
from farm.errors import (
    DockerUnavailableError,
    RebuildBusyError,
    RecipeNotFoundError,
    RecipePresentError,
    RecipeVanishedError,
    StoreUnavailableError,
)
from farm.pipeline.runtime import Runtime
from tests.fixtures_looking import IMAGE, World, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IMAGES = Path(__file__).parents[3] / "images"
RECIPE = """schema: 1
ecosystem: python
name: {name}
source:
  archive:
    pypi-sdist: {name}
versions:
  "1.0":
    sha256: "{sha256}"
build:
  image: python311
{more}"""


@dataclass
class Records:
    """A vault that has records alone, and counts what is asked of it."""

    records: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: int = 0
    away: bool = False

    def get_record(self, kind: str, key: str) -> bytes | None:
        self.asked += 1
        if self.away:
            raise StoreUnavailableError("the object store does not answer")
        return self.records.get((kind, key))

    def put_record(self, kind: str, key: str, data: bytes) -> None:
        self.records[kind, key] = data


@dataclass
class Farm:
    """A folder with recipes, and what the commands say about it."""

    root: Path
    vault: Records
    capsys: pytest.CaptureFixture[str]
    world: World = field(default_factory=World)
    engine: bool = True
    busy: bool = False

    def recipe(self, name: str, *needs: str, more: str = "", lock: bool = True) -> None:
        """Write a recipe, and a lock that names what it is built with."""
        folder = self.root / "recipes" / "python" / name
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        (folder / "recipe.yaml").write_text(RECIPE.format(name=name, sha256=digest(name), more=more))
        files = [
            {
                "filename": f"{need}-1.0-py3-none-any.whl",
                "name": need,
                "version": "1.0",
                "sha256": digest(need),
                "size": 1,
                "origin": "index",
                "roles": ["build"],
                "purl": f"pkg:pypi/{need}@1.0",
            }
            for need in needs
        ]
        document = {
            "schema_version": 1,
            "package": f"python/{name}@1.0",
            "target": "cp311-linux-amd64",
            "image": "python311",
            "basis": digest(name),
            "requirements": {},
            "files": files,
        }
        if lock:
            (folder / "locks" / "1.0-cp311-linux-amd64.json").write_text(json.dumps(document))

    def built(self, *names: str) -> None:
        """Remember results of packages, in this order."""
        catalog = load_catalog(load_settings())
        self.world.nodes = dict(catalog.nodes)
        assert make_graph(catalog).edges == self.world.graph.edges
        self.world.build(*(f"{name}@1.0" for name in names))
        self.keep()

    def keep(self) -> None:
        save_state(self.vault_, CatalogState(nodes=self.world.states, sources=self.world.sources))

    @property
    def vault_(self) -> Any:
        return self.vault

    def run(self, *arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        told = self.capsys.readouterr()
        return int(caught.value.code or 0), told.out if not caught.value.code else told.out + told.err

    def json(self, *arguments: str) -> Any:
        code, told = self.run(*arguments, "--json")
        assert code == 0
        return json.loads(told)


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    """App needs lib needs tool: all are built; another one has no lock, and another recipe is broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text(f'data = "data"\nrecipes = "recipes"\nimages = "{IMAGES}"\n')
    found = Farm(tmp_path, Records(), capsys)

    class Identity:
        digest = IMAGE

    def identity(runtime: Runtime, name: str) -> Identity:
        del runtime, name
        if not found.engine:
            raise DockerUnavailableError("no engine")
        return Identity()

    @contextmanager
    def lease(runtime: Runtime) -> Iterator[Callable[[], None]]:
        del runtime
        if found.busy:
            raise RebuildBusyError("another rebuild is at work")
        yield lambda: None

    monkeypatch.setattr(Runtime, "vault", found.vault)
    monkeypatch.setattr(Runtime, "image", identity)
    monkeypatch.setattr("farm.catalog.rebuild._rebuild_lease", lease)
    found.recipe("tool")
    found.recipe("lib", "tool")
    found.recipe("app", "lib", "stranger")
    found.built("tool", "lib", "app")
    found.recipe("bare", lock=False)
    found.recipe("ragged", more="nonsense: true\n")
    return found


def test_the_list_is_the_group_without_a_command(farm: Farm) -> None:
    code, told = farm.run("catalog")
    assert code == 0
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in told.splitlines()[1:-1]}
    assert lines["python/app@1.0"] == "current 1/2 made 2026-03-10"
    assert lines["python/bare@1.0"].startswith("invalid - - python/bare@1.0: there is no lock")
    assert lines["python/ragged"].startswith("invalid - - ")
    assert told.splitlines()[-1] == "3 current, 2 invalid; 2/3 build inputs are farm's own (66 %)"
    assert farm.run("catalog", "list") == (0, told)


def test_one_request_whatever_the_number_of_recipes(farm: Farm) -> None:
    for name in ("one", "two", "three"):
        farm.recipe(name, "tool")
    farm.vault.asked = 0
    farm.run("catalog")
    assert farm.vault.asked == 1


def test_filters(farm: Farm) -> None:
    assert [row["id"] for row in farm.json("catalog", "python/lib", "python/ragged")["nodes"]] == [
        "python/lib@1.0:cp311-linux-amd64",
        "python/ragged",
    ]
    found = farm.json("catalog", "--state", "invalid", "--state", "changed")
    assert [row["package"] for row in found["nodes"]] == ["python/bare@1.0", "python/ragged"]
    assert found["totals"]["states"]["invalid"] == 2
    code, told = farm.run("catalog", "python/lob")
    assert code == RecipeNotFoundError.exit_code
    assert "did you mean 'python/lib'?" in told


def test_the_states_to_choose_from_are_all_there_are() -> None:
    assert tuple(State) == STATES


def test_without_an_engine_nothing_else_is_lost(farm: Farm) -> None:
    farm.engine = False
    code, told = farm.run("catalog")
    assert code == 0
    assert "builder image python311 is not on this host: not compared" in told
    assert told.splitlines()[-1].startswith("3 current, 2 invalid")


def test_without_a_store_there_is_an_error(farm: Farm) -> None:
    farm.vault.away = True
    for words in (("catalog",), ("graph",), ("why-not", "python/lib"), ("why-rebuild", "python/lib")):
        assert farm.run(*words)[0] == StoreUnavailableError.exit_code


def test_a_state_that_cannot_be_read_is_no_state(farm: Farm) -> None:
    farm.vault.records = dict.fromkeys(farm.vault.records, b"no gzip at all")
    assert {row["state"] for row in farm.json("catalog")["nodes"]} == {"not-built", "invalid"}


# --- graph ------------------------------------------------------------------------------------------------------------


def test_the_tree(farm: Farm) -> None:
    code, told = farm.run("graph", "python/app")
    assert code == 0
    assert told.splitlines() == [
        "python/app@1.0  current",
        "└── python/lib@1.0  current  [build]",
        "    └── python/tool@1.0  current  [build]",
    ]
    assert farm.run("graph", "python/tool", "--dependants")[1].splitlines()[0] == "python/tool@1.0  current"


def test_the_drawings_are_texts_of_their_own(farm: Farm) -> None:
    assert farm.run("graph", "--dot")[1].startswith("digraph catalog {")
    assert farm.run("graph", "--mermaid")[1].startswith("flowchart LR")
    root = fromstring(farm.run("graph", "python/app", "--svg")[1])
    assert len([each for each in root.iter() if each.get("class") == "node current"]) == 3


def test_an_image_that_nobody_could_read(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.catalog.drawing.svg.MOST_LINES", 1)
    code, told = farm.run("graph", "--svg")
    assert code == 2
    assert "too large" in told


def test_the_graph_as_json(farm: Farm) -> None:
    found = farm.json("graph", "python/lib", "--roles", "build")
    assert [box["state"] for box in found["nodes"]] == ["current", "current"]
    assert found["edges"] == [
        {
            "dependant": "python/lib@1.0:cp311-linux-amd64",
            "dependency": "python/tool@1.0:cp311-linux-amd64",
            "roles": ["build"],
        }
    ]
    assert found["cycles"] == []
    assert farm.json("graph", "python/lib", "--roles", "test")["edges"] == []


@pytest.mark.parametrize("words", [("--dot", "--svg"), ("--svg", "--json"), ("--roles", "build,tset")])
def test_words_that_do_not_go_together(farm: Farm, words: tuple[str, ...]) -> None:
    assert farm.run("graph", *words)[0] == 2


def test_what_is_not_in_the_graph(farm: Farm) -> None:
    (farm.root / "recipes" / "python" / "tool" / "recipe.yaml").unlink()
    assert farm.run("graph", "python/tool")[0] == RecipeVanishedError.exit_code
    code, told = farm.run("graph", "python/ragged")
    assert code == RecipeNotFoundError.exit_code
    assert "nonsense" in told


# --- why --------------------------------------------------------------------------------------------------------------


def test_why_rebuild(farm: Farm) -> None:
    assert farm.run("why-rebuild", "python/app") == (
        0,
        "python/app@1.0: nothing differs: it would not be rebuilt\n",
    )
    farm.recipe("tool", more="  env: {SOME: value}\n")
    code, told = farm.run("why-rebuild", "python/app")
    assert code == 0
    first, second = told.splitlines()
    assert first == "python/app@1.0: it would be rebuilt if what it depends on comes out with other bytes:"
    assert second.startswith("    python/app@1.0 → python/lib@1.0 → python/tool@1.0: the recipe changed: ")
    (found,) = farm.json("why-rebuild", "python/tool")
    assert [each["field"] for each in found["differences"]] == ["recipe"]


def test_why_rebuild_something_that_is_not_there(farm: Farm) -> None:
    assert farm.run("why-rebuild", "python/nothing")[0] == RecipeNotFoundError.exit_code
    assert farm.run("why-rebuild", "python/ragged")[0] == RecipeNotFoundError.exit_code


def test_why_not(farm: Farm) -> None:
    code, told = farm.run("why-not", "python/app")
    assert code == 0
    assert told.splitlines() == [
        "python/app@1.0: it is built, and nothing differs from its last build",
        "  built on 2026-03-10T02:00:00Z; 1/2 of its build inputs are farm's own",
        "  these of its inputs are not:",
        "    stranger 1.0 [build]: no recipe provides it",
    ]
    assert "→ Run `farm lock python/bare@1.0`" in farm.run("why-not", "python/bare")[1]
    assert "its recipe cannot be used" in farm.run("why-not", "python/ragged")[1]
    (found,) = farm.json("why-not", "python/lob")
    assert (found["reason"], found["state"]) == ("no-recipe", None)


# --- forget -----------------------------------------------------------------------------------------------------------


def test_forget_what_vanished(farm: Farm) -> None:
    folder = farm.root / "recipes" / "python" / "tool"
    (folder / "recipe.yaml").unlink()
    assert "it is built with python/tool@1.0, whose recipe is gone" in farm.run("catalog", "python/lib")[1]
    assert farm.run("catalog", "forget", "python/tool") == (0, "forgot python/tool@1.0:cp311-linux-amd64\n")
    assert "python/tool@1.0:cp311-linux-amd64" not in load_state(farm.vault_).nodes
    assert farm.json("catalog", "python/lib")["nodes"][0]["state"] == "changed"
    assert farm.run("catalog", "forget", "python/tool")[0] == RecipeNotFoundError.exit_code


def test_forget_what_has_a_recipe(farm: Farm) -> None:
    before = load_state(farm.vault_)
    assert farm.run("catalog", "forget", "python/lib")[0] == RecipePresentError.exit_code
    assert load_state(farm.vault_) == before


def test_nothing_is_forgotten_while_a_rebuild_is_at_work(farm: Farm) -> None:
    (farm.root / "recipes" / "python" / "tool" / "recipe.yaml").unlink()
    farm.busy = True
    before = load_state(farm.vault_)
    assert farm.run("catalog", "forget", "python/tool")[0] == RebuildBusyError.exit_code
    assert load_state(farm.vault_) == before
