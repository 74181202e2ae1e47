"""Recipes that try to run, expand, hide or reach something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.languages import language
from farm.recipe import rules
from farm.recipe.document import MAX_BYTES, read_document
from farm.recipe.load import read_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.recipe.problem import Problem

GOOD = f"""\
schema: 1
ecosystem: python
name: x
source: {{git: https://git.example.test/x}}
versions: {{"1": {{commit: {"a" * 40}}}}}
build: {{image: python311}}
"""


def problems(text: str) -> tuple[Problem, ...]:
    return read_text(text, "r.yaml").problems


def test_the_basis_is_good() -> None:
    assert problems(GOOD) == ()


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [id]\n",
        "a: !include /etc/passwd\n",
        "!!set {a, b}\n",
        "a: !!binary aGk=\n",
    ],
)
def test_tags_are_refused(text: str) -> None:
    (problem,) = read_document(text, "r.yaml").problems
    assert "tags such as" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 8)}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)),
        "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * 30 + "]\n",
        "[" * 100_000,
        "{a: " * 5_000,
        "- " * 10_000,
        "x: " + "y" * MAX_BYTES,
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
    ],
    ids=["laughs", "expansion", "brackets", "braces", "dashes", "size", "list in itself", "mapping in itself"],
)
def test_bombs_are_few_and_short_problems(text: str) -> None:
    found = problems(text)
    assert 0 < len(found) <= 20
    assert len(str(found)) < 10_000


@pytest.mark.parametrize("text", [GOOD + "---\nname: other\n", GOOD + "name: other\n", GOOD + "<<: {name: other}\n"])
def test_second_meanings_are_problems(text: str) -> None:
    assert problems(text)


@pytest.mark.parametrize(
    "env",
    [
        {"PATH": "/evil"},
        {"path": "/evil"},
        {"LD_PRELOAD": "x.so"},
        {"PYTHONPATH": "/evil"},
        {"PYTHONSTARTUP": "/evil"},
        {"BASH_ENV": "/evil"},
        {"GIT_SSH_COMMAND": "evil"},
        {"PIP_INDEX_URL": "https://evil.example.test"},
        {"UV_INDEX": "https://evil.example.test"},
        {"https_proxy": "http://evil.example.test"},
        {"HOME": "/root"},
        {"SOURCE_DATE_EPOCH": "0"},
        {"MY_TOKEN": "x"},
        {"AWS_SECRET_ACCESS_KEY": "x"},
        {"DB_PASSWORD": "x"},
        {"URL": "https://user:secret@h.example.test/"},
        {"A=B": "x"},
        {"A": "x\\ny"},
        {"": "x"},
    ],
)
def test_environment_that_would_break_the_fixed_one_or_carry_secrets(env: dict[str, str]) -> None:
    ((name, value),) = env.items()
    text = GOOD.replace("{image: python311}", f'{{image: python311, env: {{"{name}": "{value}"}}}}')
    found = problems(text)
    assert found
    assert "secret@" not in str(found)


def test_harmless_environment_is_taken() -> None:
    env = '{SETUPTOOLS_SCM_PRETEND_VERSION: "1.0", MAX_JOBS: "2"}'
    assert problems(GOOD.replace("{image: python311}", f"{{image: python311, env: {env}}}")) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://git.example.test/x", "'--upload-pack=evil'"),
        ("https://git.example.test/x", "'ext::sh -c evil'"),
        ("https://git.example.test/x", "https://user:hunter2@git.example.test/x"),
        ("https://git.example.test/x", "/etc"),
        ("{git: https://git.example.test/x}", "{archive: {url: 'file:///etc/passwd'}}"),
        ("{git: https://git.example.test/x}", "{archive: {url: 'https://u:hunter2@h.example.test/x'}}"),
        ("/x}", "/x, subdirectory: ../..}"),
        ("/x}", "/x, subdirectory: /etc}"),
        ("/x}", "/x, tag: '--evil{version}'}"),
        ("/x}", "/x, tag: '{version.__class__}'}"),
        ("name: x", "name: ../../etc"),
        ("name: x", "name: -x"),
        ("image: python311", "image: ../../etc"),
        ("image: python311", "image: -v"),
        ('"1":', '"../1":'),
    ],
)
def test_values_that_would_leave_their_place(old: str, new: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new))
    assert found
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (rules.commit, "a" * 39 + "\n"),
        (rules.commit, "a" * 40 + "\n"),
        (rules.commit, "a" * 63 + "\n"),
        (rules.sha256, "a" * 63 + "\n"),
        (rules.sha256, "a" * 64 + "\n"),
        (rules.image_name, "python311\n"),
        (rules.git_url, "git@git.example.test:x\n"),
    ],
)
def test_a_line_end_is_no_part_of_a_value(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r"no |git source"):
        check(text)


def test_a_line_end_is_no_part_of_a_name_or_tag() -> None:
    with pytest.raises(ValueError, match="no name"):
        rules.environment({"A\n": "1"})
    assert not language("python").naming.tags("py3-none-any\n")
    (problem,) = problems(GOOD.replace("a" * 40, '"' + "a" * 63 + '\\n"'))
    assert "full commit" in problem.message


@pytest.mark.parametrize("name", ["../../x", "x/../y", "-x", "x\\n", "x y", "https://x"])
def test_names_of_projects_that_lead_elsewhere(name: str) -> None:
    archive = GOOD.replace("git: https://git.example.test/x", f'archive: {{pypi-sdist: "{name}"}}')
    found = problems(archive.replace(f"commit: {'a' * 40}", f"sha256: {'a' * 64}"))
    assert any("no Python project name" in problem.message for problem in found)


@pytest.mark.parametrize("module", ["../../etc; import os", "x;y", "x\\n", "x.", "x-y"])
def test_imports_are_names_of_modules_alone(module: str) -> None:
    (problem,) = problems(GOOD + f'test: {{imports: ["{module}"]}}\n')
    assert problem.line == 7
