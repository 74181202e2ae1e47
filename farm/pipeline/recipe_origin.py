"""Where a recipe was read: the commit of the repository that holds it, for the provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git import InvalidGitRepositoryError, Repo

from farm.model.evidence import RecipeOrigin

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["recipe_origin"]


def recipe_origin(folder: Path) -> RecipeOrigin:
    """Return the commit that holds the recipe in `folder`, and whether the folder differs from it.

    A folder outside of any repository, or in one without a commit, has no commit and counts as changed.
    """
    try:
        with Repo(folder, search_parent_directories=True) as repo:
            if not repo.head.is_valid():
                return RecipeOrigin(dirty=True)
            changed = repo.git.status("--porcelain", "--untracked-files=all", "--", str(folder))
            return RecipeOrigin(commit=repo.head.commit.hexsha, dirty=bool(changed))
    except InvalidGitRepositoryError:
        return RecipeOrigin(dirty=True)
