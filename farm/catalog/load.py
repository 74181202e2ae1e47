"""Reading the catalog: every recipe and every lock, what planning needs of them.

Reading and checking ten thousand recipes takes longer than planning them: what was read of a file is kept on this host
under the digest of its content, so that a file that did not change is hashed and not read again.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from farm import __version__
from farm.catalog.nodes import Catalog, Need, Node, NodeProblem, node_id
from farm.ecosystems.repositories import layout_of
from farm.errors import DuplicateRecipeError, FarmError, LockMissingError
from farm.image.definition import FILE, load_definition
from farm.languages import is_package
from farm.model.base import BlobRef, canonical_json, sha256_bytes
from farm.model.plan import PackageId, Target
from farm.recipe.catalog import list_recipes
from farm.recipe.load import load_recipe
from farm.recipe.locks import lock_path, read_lock
from farm.recipe.plan import build_images, build_patches, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.config import Settings
    from farm.recipe.model import Recipe

__all__ = ["load_catalog"]

_FORMAT: Final = f"{__version__}/3"
"""Raised when something else is read of the same files."""


def load_catalog(settings: Settings) -> Catalog:
    """Read all recipes and their locks. No object store, no engine and no network is asked.

    What is wrong with a recipe or a lock is in the catalog (`broken`, `Node.problem`), and raises nothing.
    """
    kept = _Kept(settings.data / "cache" / "catalog.json")
    targets = _Targets(settings.images)
    made: dict[str, list[Node]] = {}
    broken: dict[str, NodeProblem] = {}
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in list_recipes(settings.recipes):
        folder = path.parent.relative_to(settings.recipes).as_posix()
        try:
            recipe = kept.recipe(path, settings.recipes, targets)
            name = (recipe["ecosystem"], recipe["name"])
            seen[name].append(folder)
            made[folder] = list(_nodes(recipe, path.parent, kept))
        except FarmError as error:
            broken[folder] = _problem(error)
    kept.save()
    for (ecosystem, package), folders in seen.items():
        if len(folders) > 1:
            msg = f"the recipes {' and '.join(folders)} are for one package, {ecosystem}/{package}"
            broken.update(dict.fromkeys(folders, _problem(DuplicateRecipeError(msg))))
    nodes = {node.id: node for folder, found in made.items() if folder not in broken for node in found}
    return Catalog(nodes=dict(sorted(nodes.items())), broken=broken)


def _problem(error: FarmError) -> NodeProblem:
    return NodeProblem(type(error).__name__, error.exit_code, error.message)


def _nodes(recipe: Mapping[str, Any], folder: Path, kept: _Kept) -> Iterable[Node]:
    package_of = {"ecosystem": recipe["ecosystem"], "name": recipe["name"]}
    for item in recipe["builds"]:
        package = PackageId(**package_of, version=item["version"])
        target = Target(platform=item["target"][0], interpreter=item["target"][1])
        locked: Mapping[str, Any] = {"digest": "", "needs": ()}
        problem = None
        try:
            locked = kept.lock(lock_path(folder, package.version, target.key), package)
        except FarmError as error:
            problem = _problem(error)
        yield Node(
            id=node_id(package, target.key),
            package=package,
            reference=f"{package.ecosystem}/{package.name}@{item['spelled']}",
            target=target,
            image=item["image"],
            recipe=item["digest"],
            source=item["source"],
            lock=locked["digest"],
            names=tuple(item["names"]),
            needs=tuple(Need(n, v, tuple(r), tuple(f), foreign) for n, v, r, f, foreign in locked["needs"]),
            seed=recipe["seed"],
            cpus=recipe["cpus"],
            memory_mb=recipe["memory_mb"],
            problem=problem,
        )


class _Targets:
    """What images build for; each definition is read once."""

    def __init__(self, images: Path) -> None:
        self._images = images
        self._known: dict[str, Target] = {}

    @cached_property
    def digest(self) -> bytes:
        """Over all definitions: what was read of a recipe holds for these."""
        return sha256_bytes(b"\0\0".join(_bytes(path) for path in sorted(self._images.glob(f"*/{FILE}")))).encode()

    def of(self, image: str) -> Target:
        if image not in self._known:
            found = load_definition(self._images / image)
            self._known[image] = Target(platform=found.platform, interpreter=found.interpreter)
        return self._known[image]


@dataclass
class _Kept:
    """What was read of files before, by the digest of their content."""

    path: Path
    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):  # else all is read anew
            head, _, body = self.path.read_bytes().partition(b"\n")
            if head == _head(body):
                self.old = dict(json.loads(body))

    def recipe(self, path: Path, recipes: Path, targets: _Targets) -> Mapping[str, Any]:
        """Return what planning needs of a recipe.

        Raises:
            RecipeError, SourcePinError, RecipeNotFoundError.
        """
        parts = [targets.digest, path.relative_to(recipes).as_posix().encode(), _bytes(path)]
        patches = path.parent / "patches"
        if patches.is_dir():
            parts += [item.name.encode() + b"\0" + _bytes(item) for item in sorted(patches.iterdir())]
        digest = sha256_bytes(b"\0\0".join(parts))
        if digest not in self.new:
            self.new[digest] = self.old.get(digest) or _read_recipe(load_recipe(path), path, recipes, targets)
        found: Mapping[str, Any] = self.new[digest]
        return found

    def lock(self, path: Path, package: PackageId) -> Mapping[str, Any]:
        """Return what planning needs of a lock.

        Raises:
            LockMissingError, LockStaleError.
        """
        try:
            digest = sha256_bytes(path.read_bytes())
        except OSError:
            msg = f"{package}: there is no lock {path.parent.parent.name}/locks/{path.name}"
            raise LockMissingError(msg, remedy=f"Run `farm lock {package}` and commit the file it writes.") from None
        if digest not in self.new:
            self.new[digest] = self.old.get(digest) or _read_lock(path)
        found: Mapping[str, Any] = self.new[digest]
        return found

    def save(self) -> None:
        """Write what is in use; nothing where nothing changed, and nothing where there is no room for it."""
        if self.new == self.old:
            return
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            body = json.dumps(self.new, separators=(",", ":")).encode()
            with tempfile.NamedTemporaryFile(prefix=".catalog-", dir=self.path.parent, delete=False) as stream:
                written = Path(stream.name)
                try:
                    stream.write(_head(body) + b"\n" + body)
                    stream.flush()
                    written.replace(self.path)
                finally:
                    written.unlink(missing_ok=True)


def _head(body: bytes) -> bytes:
    """Return the first line of the file: a need that is damaged away would let upstream's file in unseen."""
    return f"{_FORMAT} {sha256_bytes(body)}".encode()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # what is wrong with it is said when it is read


def _read_recipe(recipe: Recipe, path: Path, recipes: Path, targets: _Targets) -> dict[str, Any]:
    relative = path.relative_to(recipes).as_posix()
    builds = []
    for version in recipe.pinned:
        # One that is not there is missed by the plan.
        files = {name: path.parent / "patches" / name for name in build_patches(recipe, version)}
        patches = {name: _blob(file) for name, file in files.items() if file.is_file()}
        for image in build_images(recipe, version):
            target = targets.of(image)
            plan = make_plan(recipe, version, relative, target, patches, image)
            builds.append(
                {
                    "version": plan.package.version,
                    "spelled": version,
                    "image": image,
                    "target": [target.platform, target.interpreter],
                    "digest": plan.recipe_digest,
                    "source": sha256_bytes(canonical_json(plan.source.model_dump(mode="json"))),
                    "names": list(layout_of(recipe.ecosystem).declared(plan)),
                    "name": plan.package.name,
                }
            )
    return {
        "ecosystem": recipe.ecosystem,
        "name": builds[0]["name"],
        "builds": builds,
        "seed": recipe.seed.reason if recipe.seed else "",
        "cpus": recipe.weight.cpus,
        "memory_mb": recipe.weight.memory_mb,
    }


def _blob(path: Path) -> BlobRef:
    data = _bytes(path)
    return BlobRef(sha256=sha256_bytes(data), size=len(data))


def _read_lock(path: Path) -> dict[str, Any]:
    lock = read_lock(path)
    roles: dict[tuple[str, str], set[str]] = defaultdict(set)
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    foreign: dict[tuple[str, str], bool] = defaultdict(bool)
    ecosystem = lock.package.partition("/")[0]
    for file in lock.files:
        # A crate, say, can be called like a package of the language: no recipe provides it.
        own_kind = is_package(ecosystem, file.name, file.version, file.purl)
        key = (file.name if own_kind else file.purl, file.version if own_kind else "")
        roles[key] |= set(file.roles)
        names[key].append(file.filename)
        foreign[key] |= file.origin != "farm"
    needs = [[*key, sorted(roles[key]), sorted(names[key]), foreign[key]] for key in sorted(roles)]
    return {"digest": lock.fingerprint(), "needs": needs}
