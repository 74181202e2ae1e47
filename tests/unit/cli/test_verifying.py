from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from farm.cli.app import main
from farm.consumer import fetch
from farm.errors import VerificationError
from farm.model.base import sha256_bytes, sha256_file
from farm.trust import verify as trust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text("")
    path = tmp_path / "root.json"
    path.write_text("{}")

    def parse(raw: bytes, source: str) -> trust.Trust:
        nothing: Any = None  # no file of these tests gets as far as a signature
        return trust.Trust(source, sha256_bytes(raw), nothing, nothing)

    monkeypatch.setattr(trust, "parse_trust", parse)
    yield path
    structlog.reset_defaults()


def ends(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as caught:
        main(("verify", "--trust-config", "root.json", *arguments))
    return caught.value.code


def test_a_missing_file_is_a_verdict_and_the_others_get_theirs(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there-1.0-py3-none-any.whl").write_bytes(b"x")
    (tmp_path / "folder-1.0-py3-none-any.whl").mkdir()
    names = [f"{name}-1.0-py3-none-any.whl" for name in ("absent", "folder", "there")]
    assert ends("--json", *names) == VerificationError.exit_code
    found = json.loads(capsys.readouterr().out)
    assert found["trust_root"] == {"path": "root.json", "sha256": sha256_file(root).sha256}
    assert [(file["file"], file["verified"]) for file in found["files"]] == [(name, False) for name in names]
    details = [file["checks"][0]["detail"] for file in found["files"]]
    assert details[:2] == ["there is no such file", "it is no regular file"]
    assert "sha256" in details[2]


def test_the_trust_root_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("absent-1.0-py3-none-any.whl") == VerificationError.exit_code
    assert capsys.readouterr().out.startswith(f"trust root root.json sha256:{sha256_file(root).sha256}\n")


def test_what_the_index_does_not_list_stops_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{name}-1.0-py3-none-any.whl" for name in ("absent", "one", "two")]
    asked: list[str] = []

    def refuse(_: str, path: Path, into: Path) -> tuple[str, ...]:
        del into
        asked.append(path.name)
        raise VerificationError(f"the index has no project for {path.name}")

    monkeypatch.setattr(fetch, "fetch_sidecars", refuse)
    for name in names[1:]:
        (tmp_path / name).write_bytes(b"x")
    assert ends("--json", "--index", "http://index.test/simple/", *names) == VerificationError.exit_code
    out, err = capsys.readouterr()
    assert len(json.loads(out)["files"]) == 3
    assert asked == names[1:]
    assert "no project for one" in err
