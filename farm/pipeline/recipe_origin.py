"""Where a recipe was read: the commit of the repository that holds it, for the provenance."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from farm import log
from farm.model.evidence import RecipeOrigin
from farm.source.gitpython import GitCommandError, InvalidGitRepositoryError, Repo
from farm.source.gitrun import config_environment

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["recipe_origin"]

_log = log.get(__name__)


def recipe_origin(folder: Path) -> RecipeOrigin:
    """Return the commit that holds the recipe in `folder`, and whether the folder differs from it.

    A folder outside of any repository, or in one without a commit, has no commit and counts as changed. So does one
    whose repository git cannot read; a warning says why the provenance will name no commit.

    Raises:
        ConfigError: there is no git on this host (when this module is imported).
    """
    try:
        with Repo(folder.resolve(), search_parent_directories=True) as repo:
            # The user named the folder, so it may be somebody else's: git refuses that otherwise (safe.directory). What
            # its configuration would run while the files are compared is not run.
            settings = [("safe.directory", str(repo.working_tree_dir or repo.git_dir)), ("core.fsmonitor", "false")]
            repo.git.update_environment(**config_environment(settings, os.environ))
            commit = repo.git.rev_parse("--verify", "HEAD^{commit}")
            changed = repo.git.status("--porcelain", "--untracked-files=all", "--", str(folder.resolve()))
            return RecipeOrigin(commit=str(commit), dirty=bool(changed))
    except InvalidGitRepositoryError:
        _log.warning("the recipe is in no git repository: the provenance names no commit of it", folder=str(folder))
    except GitCommandError as error:
        reason = " ".join(str(error.stderr).split())[:500]
        _log.warning("the commit of the recipe cannot be read", folder=str(folder), reason=reason)
    return RecipeOrigin(dirty=True)
