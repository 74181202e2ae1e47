"""`farm recipe check`: every problem of recipes, beyond the model: what lies around them in the file system too."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from farm.languages import language, language_names
from farm.recipe.catalog import FILE_NAME, recipe_versions
from farm.recipe.load import read_recipe
from farm.recipe.plan import applying, build_images, overridden
from farm.recipe.problem import Place, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Literal

    from farm.config import Settings
    from farm.recipe.load import Reading
    from farm.recipe.model import BuildChanges, Recipe

__all__ = ["check"]

_PLAIN_TRANSPORT = ("http://", "git://")


def check(paths: Iterable[Path], settings: Settings | None = None) -> tuple[Problem, ...]:
    """Return all problems of the recipes at `paths`.

    Args:
        paths: recipe files, their folders, or folders that hold such folders.
        settings: where images are; without them, names of images are not looked up.

    Returns:
        Errors and warnings, by file, line and column. Empty when all is well.
    """
    problems: list[Problem] = []
    readings: list[tuple[Path, Reading]] = []
    for path in paths:
        files = _expand(path)
        if not files:
            problems.append(Problem(path=str(path), line=1, column=1, message="there is no recipe here"))
        readings.extend((file, read_recipe(file)) for file in files)
    readings = sorted({file.resolve(): (file, reading) for file, reading in readings}.values(), key=lambda r: str(r[0]))
    for file, reading in readings:
        problems.extend(reading.problems)
        if reading.recipe is not None:
            problems.extend(_Linter(file, reading, reading.recipe).run(settings))
    problems.extend(_twice(readings))
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda p: (p.path, p.line, p.column, p.message)))


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.rglob(FILE_NAME))
    return [path] if path.is_file() else []


def _twice(readings: Sequence[tuple[Path, Reading]]) -> Iterator[Problem]:
    """Find recipes whose names are the same once they are normalised."""
    seen: dict[tuple[str, str], Path] = {}
    for file, reading in readings:
        recipe = reading.recipe
        if recipe is None or recipe.ecosystem not in language_names():
            continue
        try:
            key = (recipe.ecosystem, language(recipe.ecosystem).naming.name(recipe.name))
        except ValueError:
            continue
        first = seen.setdefault(key, file)
        if first is not file:
            line, column = reading.document.position(("name",))
            message = f"{'/'.join(key)} has a recipe already: {first}"
            yield Problem(path=str(file), line=line, column=column, message=message)


class _Linter:
    """Looks at one recipe that follows the model."""

    def __init__(self, file: Path, reading: Reading, recipe: Recipe) -> None:
        self.file = file
        self.reading = reading
        self.recipe = recipe
        self.problems: list[Problem] = []

    def run(self, settings: Settings | None) -> list[Problem]:
        self.folders()
        self.source()
        self.images(settings)
        self.patches()
        for place, build in self.builds():
            self.requirements(build, place)
        if not self.reading.problems:
            self.versions()
            for place, build in self.builds():
                self.options(build, place)
            for key in self.recipe.pinned:
                self.resolved(key)
            self.locks()
        return self.problems

    def builds(self) -> Iterator[tuple[Place, BuildChanges]]:
        """Yield every section `build` with its place."""
        yield ("build",), self.recipe.build
        for key, entry in self.recipe.versions.items():
            if entry.build is not None:
                yield ("versions", key, "build"), entry.build

    def error(self, place: Place, message: str, suggestion: str = "") -> None:
        line, column = self.reading.document.position(place)
        path = self.reading.document.path
        self.problems.append(Problem(path=path, line=line, column=column, message=message, suggestion=suggestion))

    def warn(self, place: Place, message: str, *, key: bool = False) -> None:
        line, column = self.reading.document.position(place, key=key)
        path = self.reading.document.path
        self.problems.append(Problem(path=path, line=line, column=column, message=message, severity="warning"))

    def folders(self) -> None:
        place = self.file.resolve().parent
        folder = self.recipe.name
        if self.recipe.ecosystem in language_names():
            with contextlib.suppress(ValueError):  # found while reading
                folder = language(self.recipe.ecosystem).naming.folder(self.recipe.name)
        if place.name != folder:
            wanted = "" if folder == self.recipe.name else f", which belongs in {folder!r}"
            self.error(("name",), f"the folder is called {place.name!r}, the recipe {self.recipe.name!r}{wanted}")
        if place.parent.name != self.recipe.ecosystem:
            message = f"the recipe lies under {place.parent.name!r}, its ecosystem is {self.recipe.ecosystem!r}"
            self.error(("ecosystem",), message)

    def source(self) -> None:
        source = self.recipe.source
        git = source.git or ""
        if git.startswith(_PLAIN_TRANSPORT):
            self.warn(("source", "git"), "the transport is not encrypted: who listens learns what is built")
        if git.startswith("file://"):
            self.warn(("source", "git"), "a path of one machine: use an address and insteadOf")
        url = source.archive.url if source.archive else None
        if url and "{version}" not in url and len(self.recipe.pinned) > 1:
            self.error(("source", "archive", "url"), "several versions have the same address: use {version} in it")

    def images(self, settings: Settings | None) -> None:
        if settings is None:
            return
        known = [d.name for d in settings.images.iterdir() if d.is_dir()] if settings.images.is_dir() else []
        for place, build in self.builds():
            for index, name in enumerate(build.images or ()):
                if name not in known:
                    message = f"there is no image {name!r} under {settings.images.name}/"
                    self.error((*place, "image", index), message, nearest(name, known))

    def patches(self) -> None:
        folder = self.file.parent / "patches"
        files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        used: set[str] = set()
        for place, build in self.builds():
            used.update(build.patches)
            for index, name in enumerate(build.patches):
                here = (*place, "patches", index)
                # What a link leads to is not what is reviewed and committed beside the recipe.
                if name in files and ((folder / name).is_symlink() or not (folder / name).is_file()):
                    self.error(here, f"patches/{name} is no regular file")
                elif name not in files:
                    self.error(here, f"there is no file patches/{name} beside the recipe", nearest(name, files))
        for name in files:
            if name not in used:
                self.warn(("build",), f"patches/{name} is used by no version", key=True)

    def options(self, build: BuildChanges, place: Place) -> None:
        for key, words in language(self.recipe.ecosystem).remarks(build.options):
            self.warn((*place, "options", key), words, key=True)

    def requirements(self, build: BuildChanges, place: Place) -> None:
        if self.recipe.ecosystem not in language_names():
            return
        naming = language(self.recipe.ecosystem).naming
        for index, text in enumerate(build.requires):
            try:
                pinned = naming.is_pinned(text)
            except ValueError:
                continue  # found while reading
            if not pinned:
                self.warn((*place, "requires", index), f"{text!r} is not pinned to one version")

    def resolved(self, version: str) -> None:
        """Look at a pinned version as it will be built and tested, with every override applied."""
        build, test, _ = overridden(self.recipe, version)
        spoken = language(self.recipe.ecosystem)
        if test.requires and not test.command:
            place = (*self.given(version, "test", "requires"), "requires")
            self.warn(place, "requirements of tests, but no command that uses them")
        if not spoken.tests_in_build and not test.imports and not test.command and test.skip is None:
            place = self.given(version, "test", "")
            self.warn(place, "nothing is tested: give imports, a command, or skip with a reason")
        if len(build.images) > 1 and (why := spoken.naming.one_image(build.tags)):
            place = self.given(version, "build", "images")
            self.error((*place, "image"), f"version {version} has {len(build.images)} images: {why}")
        elif spoken.naming.tags_missing and not build.tags:
            place = self.given(version, "build", "tags")
            self.warn(place, spoken.naming.tags_missing, key=True)

    def given(self, version: str, section: Literal["build", "test"], field: str) -> Place:
        """Return the place of the section that decides on `field` (empty: on any) for `version`: the last with it."""
        place: Place = (section,)
        for key, entry in applying(self.recipe, version):
            change = entry.build if section == "build" else entry.test
            if change is not None and (not field or field in change.model_fields_set):
                place = ("versions", key, section)
        return place

    def versions(self) -> None:
        naming = language(self.recipe.ecosystem).naming
        for key in self.recipe.versions:
            if naming.is_range(key) and not any(naming.contains(key, version) for version in self.recipe.pinned):
                self.warn(("versions", key), f"no pinned version is in the range {key!r}", key=True)

    def locks(self) -> None:
        naming = language(self.recipe.ecosystem).naming
        normal = {str(naming.version(version)): version for version in recipe_versions(self.recipe)}
        folder = self.file.parent / "locks"
        files = sorted(path.name for path in folder.glob("*.json")) if folder.is_dir() else []
        # A version may have hyphens; the target behind it (`cp311-linux-amd64`) has two.
        locked = {name: name.rsplit("-", 3)[0] for name in files}
        count = Counter(locked.values())
        for version, written in normal.items():
            images = build_images(self.recipe, written)
            if count[version] < len(images):
                what = "no lock" if not count[version] else f"not every image has a lock ({', '.join(images)})"
                reference = f"{self.recipe.ecosystem}/{self.recipe.name}@{version}"
                self.warn(("versions", written), f"{what}: run `farm lock {reference}`", key=True)
        for name, version in locked.items():
            if version not in normal:
                self.warn(("versions",), f"locks/{name} belongs to no version of this recipe", key=True)
