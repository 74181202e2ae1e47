"""Step 1: a recipe version and a target → the build plan. Pure: no file, no network, no clock."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from farm.errors import RecipeError, RecipeNotFoundError
from farm.languages import language
from farm.model import plan as planned
from farm.model.base import Value
from farm.recipe.model import changed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from farm.model.base import BlobRef
    from farm.recipe.model import Build, Limits, Recipe, Test, VersionEntry

__all__ = [
    "INTERPRETER",
    "applying",
    "build_images",
    "build_patches",
    "chosen_image",
    "make_plan",
    "overridden",
    "source_pin",
]

INTERPRETER = "{interpreter}"
"""Stands in `build.tags` for the interpreter of the target."""

_NO_PATCHES: Mapping[str, BlobRef] = MappingProxyType({})


class _Resolved(Value):
    """What the recipe digest is over: the version with every override applied and every default spelled out."""

    package: planned.PackageId
    source: planned.SourcePin
    build: planned.BuildSpec
    test: planned.TestSpec
    limits: planned.Limits


def make_plan(
    recipe: Recipe,
    version: str,
    recipe_path: str,
    target: planned.Target,
    patches: Mapping[str, BlobRef] = _NO_PATCHES,
    image: str = "",
) -> planned.BuildPlan:
    """Decide everything that a build of `version` for `target` needs to know.

    Args:
        recipe: a recipe without problems.
        version: a pinned version, in any spelling that is equal to the recipe's.
        recipe_path: path of the recipe below the recipes folder, POSIX.
        target: platform and interpreter of the builder image `image`.
        patches: the content of every patch that the version has (see `build_patches`).
        image: one of those that the version is built in (see `build_images`); empty = the primary one.

    Returns:
        The plan. Its `recipe_digest` is over the resolved version: comments, order and spelling of the file do not
        matter, overrides for other versions and other images neither.

    Raises:
        RecipeNotFoundError: the recipe does not pin this version.
        RecipeError: the content of a patch is not there, the version is not built in that image, or it names several
            images and its result would be the same file in each.
    """
    naming = language(recipe.ecosystem).naming
    key = _pinned_key(recipe, version)
    entry = recipe.versions[key]
    build, test, limits = overridden(recipe, key)
    if len(build.images) > 1 and (why := naming.one_image(build.tags)):
        msg = f"{recipe.ecosystem}/{recipe.name}@{key}: build.image names {len(build.images)} images: {why}"
        raise RecipeError(msg)
    resolved = _Resolved(
        package=planned.PackageId(
            ecosystem=recipe.ecosystem, name=naming.name(recipe.name), version=str(naming.version(key))
        ),
        source=source_pin(recipe, key, entry),
        build=planned.BuildSpec(
            image=chosen_image(recipe, version, image),
            requires=build.requires,
            env=build.env,
            config_settings=build.config_settings,
            options=_options(recipe.ecosystem, build.options),
            patches=tuple(_patch(name, patches) for name in build.patches),
            tags=build.tags.replace(INTERPRETER, target.interpreter),
            source_date_epoch=build.source_date_epoch,
            waivers=tuple(planned.Waiver(rule=w.rule, reason=w.reason) for w in build.waivers),
        ),
        test=planned.TestSpec(
            imports=test.imports,
            command=test.command,
            requires=test.requires,
            skip_reason=test.skip.reason if test.skip else "",
        ),
        limits=planned.Limits(**limits.model_dump(exclude_none=True)),
    )
    return planned.BuildPlan(
        package=resolved.package,
        recipe_path=recipe_path,
        recipe_digest=resolved.fingerprint(),
        source=resolved.source,
        build=resolved.build,
        test=resolved.test,
        target=target,
        limits=resolved.limits,
    )


def build_images(recipe: Recipe, version: str) -> tuple[str, ...]:
    """Return the names of the builder images of `version`, the primary one first; each gives a target.

    Raises:
        RecipeNotFoundError: the recipe does not pin this version.
    """
    build, _, _ = overridden(recipe, _pinned_key(recipe, version))
    return build.images


def chosen_image(recipe: Recipe, version: str, image: str = "") -> str:
    """Return `image` where `version` is built in it; the primary one for no name.

    Raises:
        RecipeNotFoundError: the recipe does not pin this version.
        RecipeError: it is not built in that image; the message names those that it is built in.
    """
    images = build_images(recipe, version)
    if image and image not in images:
        msg = (
            f"{recipe.ecosystem}/{recipe.name}@{version} is not built in the image {image!r}: "
            f"its recipe names {', '.join(images)}"
        )
        raise RecipeError(msg, remedy="Name one of these, or add the image to build.image of the recipe.")
    return image or images[0]


def build_patches(recipe: Recipe, version: str) -> tuple[str, ...]:
    """Return the names of the patches of `version`, in order: whose content `make_plan` wants.

    Raises:
        RecipeNotFoundError: the recipe does not pin this version.
    """
    build, _, _ = overridden(recipe, _pinned_key(recipe, version))
    return build.patches


def _options(ecosystem: str, options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the options in one spelling, defaults left out: so that a new option changes no plan that is without."""
    read = language(ecosystem).options.model_validate(options)
    found: dict[str, JsonValue] = read.model_dump(mode="json", exclude_defaults=True)
    return found


def _patch(name: str, patches: Mapping[str, BlobRef]) -> planned.Patch:
    if name not in patches:
        msg = f"there is no patch {name!r} in the recipe's folder patches/"
        raise RecipeError(msg)
    return planned.Patch(name=name, blob=patches[name])


def _pinned_key(recipe: Recipe, version: str) -> str:
    naming = language(recipe.ecosystem).naming
    try:
        wanted = naming.version(version)
    except ValueError:
        wanted = None
    for key in recipe.pinned:
        if naming.version(key) == wanted:
            return key
    msg = f"the recipe {recipe.ecosystem}/{recipe.name} does not pin version {version!r}"
    raise RecipeNotFoundError(msg)


def applying(recipe: Recipe, key: str) -> Iterator[tuple[str, VersionEntry]]:
    """Yield the entries, with their keys, that apply to the version `key`, in the order of the file.

    They are the ranges that hold it, and its own.
    """
    naming = language(recipe.ecosystem).naming
    for other, entry in recipe.versions.items():
        if other == key or (naming.is_range(other) and naming.contains(other, key)):
            yield other, entry


def overridden(recipe: Recipe, key: str) -> tuple[Build, Test, Limits]:
    """Return build, test and limits of the version `key` (as the recipe spells it) with every override applied."""
    build, test, limits = recipe.build, recipe.test, recipe.limits
    for _, entry in applying(recipe, key):
        build = changed(build, entry.build)
        limits = changed(limits, entry.limits)
        if entry.test is not None:
            # A version that is tested again lifts the skip, and one that is skipped has nothing to run.
            base = test.model_copy(update={"skip": None}) if entry.test.skip is None else type(test)()
            test = changed(base, entry.test)
    return build, test, limits


def source_pin(recipe: Recipe, key: str, entry: VersionEntry) -> planned.GitPin | planned.ArchivePin:
    """Return the pin of a version.

    Args:
        recipe: a recipe without problems.
        key: the version as the recipe spells it, or as it would spell one that it does not have yet.
        entry: what pins it; its commit or SHA-256 is taken as it stands.

    Raises:
        ValueError: `key` is no version of the ecosystem, or names no archive.
    """
    source = recipe.source
    if source.git is not None:
        pattern = source.tag
        for _, other in applying(recipe, key):
            pattern = other.tag if other.tag is not None else pattern
        return planned.GitPin(
            url=source.git,
            commit=entry.commit or "",
            tag=pattern.replace("{version}", key) or None,
            subdirectory=source.subdirectory,
            submodules=source.submodules,
        )
    archive = source.archive
    if archive is not None and archive.named is not None:
        kind, text = archive.named
        found = language(recipe.ecosystem).archive.read(text, key)
        return planned.ArchivePin(
            kind=kind,
            sha256=entry.sha256 or "",
            name=found.name,
            version=found.version,
            variant=found.variant,
            subdirectory=source.subdirectory,
        )
    url = archive.url if archive is not None and archive.url is not None else ""
    return planned.ArchivePin(
        kind="url",
        sha256=entry.sha256 or "",
        url=url.replace("{version}", key),
        subdirectory=source.subdirectory,
    )
