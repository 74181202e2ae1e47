"""What farm uses of GitPython, which looks for git as it is imported and cannot be imported where there is none."""

from __future__ import annotations

from farm.errors import ConfigError

try:
    from git import Git, InvalidGitRepositoryError, Repo
    from git.exc import GitCommandError, GitCommandNotFound
except ImportError as error:
    msg = "there is no git on this host, or GIT_PYTHON_GIT_EXECUTABLE does not name it"
    raise ConfigError(msg, remedy="Install git (`apt-get install git`, as root), then try again.") from error

__all__ = ["Git", "GitCommandError", "GitCommandNotFound", "InvalidGitRepositoryError", "Repo"]
