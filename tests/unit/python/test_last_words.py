from __future__ import annotations

from farm.ecosystems.run import last_words


def test_the_last_words_of_foreign_code_do_not_command_the_terminal() -> None:
    tail = "first\n\x1b[2J\x1b[1;31merror:\x1b[0m no\x07 compiler\x9b1A\n\n  \n50%\r100%\r\n"

    assert last_words(tail) == "first\nerror: no compiler\n50%\n100%"
    assert last_words(tail, 1) == "100%"
