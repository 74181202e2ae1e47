"""What foreign code named or wrote is shown as it is: it neither styles nor commands the reader's terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from farm.cli.render import Renderer
from farm.errors import BuildFailedError
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "a\x1b]0;title\x07b\x1b[2J\x9b1Ac [/x] [bold]d[/] :smile:\n\te\x7f"
SHOWN = "a]0;titlebc [/x] [bold]d[/] :smile:\n\te"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (HOSTILE, SHOWN),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("10%\r90%\rdone\r\nnext\n", "10%\n90%\ndone\nnext\n"),
        ("".join(map(chr, range(0xA0))), "\t\n\n" + "".join(map(chr, range(0x20, 0x7F)))),
        ("\x1b\x1b[31m[31m", "[31m"),
        ("ünïcödé 日本 🎉", "ünïcödé 日本 🎉"),
    ],
)
def test_control_characters_go_and_text_stays(raw: str, shown: str) -> None:
    assert without_controls(raw) == shown


def _step(renderer: Renderer) -> None:
    with renderer.step(HOSTILE) as line:
        line.text = HOSTILE


SHOWERS: dict[str, Callable[[Renderer], None]] = {
    "line": lambda renderer: renderer.line(HOSTILE, (HOSTILE, "bold green")),
    "note": lambda renderer: renderer.note((HOSTILE, "dim")),
    "table": lambda renderer: renderer.table(("column",), [(HOSTILE,)]),
    "error": lambda renderer: renderer.error(BuildFailedError(HOSTILE, remedy=HOSTILE)),
    "step": _step,
}


@pytest.mark.parametrize("terminal", ["dumb", "xterm"])
@pytest.mark.parametrize("shower", SHOWERS)
def test_foreign_words_are_shown_as_they_are(
    shower: str, terminal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", terminal)
    if terminal != "dumb":
        monkeypatch.setenv("FORCE_COLOR", "1")
    renderer = Renderer()
    SHOWERS[shower](renderer)
    told = "".join(capsys.readouterr())

    assert "c [/x] [bold]d[/] :smile:" in told
    assert "title" in told
    for never in ("\x1b]", "\x07", "\x1b[2J\x9b", "\x9b", "\x7f"):
        assert never not in told
    if terminal == "dumb":
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", told)


def test_json_is_the_same_value_without_raw_controls(capsys: pytest.CaptureFixture[str]) -> None:
    Renderer(json=True).data({"text": HOSTILE})
    told = capsys.readouterr().out

    assert json.loads(told) == {"text": HOSTILE}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", told)


def test_a_folder_that_looks_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Renderer().line("wrote /home/[/x]/recipes/python/a\\")

    assert capsys.readouterr().out == "wrote /home/[/x]/recipes/python/a\\\n"
