"""What verification accepts and refuses; whatever the input, the refusal is one error."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import TrustRootError, VerificationError
from farm.model.base import BlobRef, canonical_json
from farm.trust.authority.instance import Authority, Claims
from farm.trust.verify import MAX_BUNDLE_BYTES, Trust, load_trust, parse_trust, verify_file, verify_provenance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.trust.identity import ExpectedIdentity

NAME = "demo_pkg-1.0-py3-none-any.whl"
SOURCE = {"source_repository_uri": "https://git.example.org/x", "source_repository_digest": "a" * 40}


def statement(blob: BlobRef, identity: ExpectedIdentity) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": NAME, "digest": {"sha256": blob.sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {}, "runDetails": {"builder": {"id": identity.builder}}},
    }


@dataclass(frozen=True)
class SignAs:
    """Signs whatever payload it is given for one file, as the signer's own code never would."""

    authority: Authority
    blob: BlobRef
    identity: ExpectedIdentity

    def __call__(self, payload: bytes) -> tuple[str, str]:
        claims = Claims(self.identity.builder, self.identity.issuer, SOURCE)
        return self.authority.sign(bytes.fromhex(self.blob.sha256), payload, claims)


@pytest.fixture
def sign_as(authority: Authority, blob: BlobRef, identity: ExpectedIdentity) -> SignAs:
    return SignAs(authority, blob, identity)


@pytest.fixture
def signed(sign_as: SignAs) -> tuple[str, str]:
    return sign_as(canonical_json(statement(sign_as.blob, sign_as.identity)))


def test_both_bundles_verify(trust: Trust, signed: tuple[str, str], blob: BlobRef, identity: ExpectedIdentity) -> None:
    verify_file(trust, blob, signed[0], identity)
    assert verify_provenance(trust, blob, signed[1].encode(), NAME, identity) == statement(blob, identity)


def test_a_path_is_hashed(trust: Trust, signed: tuple[str, str], identity: ExpectedIdentity, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"the bytes of a wheel")
    verify_file(trust, path, signed[0], identity)
    verify_provenance(trust, path, signed[1], NAME, identity)
    path.write_bytes(b"the bytes of a wheeL")
    with pytest.raises(VerificationError):
        verify_file(trust, path, signed[0], identity)
    with pytest.raises(VerificationError, match="other bytes"):
        verify_provenance(trust, path, signed[1], NAME, identity)
    with pytest.raises(VerificationError, match="cannot be read"):
        verify_file(trust, tmp_path / "missing", signed[0], identity)


def test_the_source_can_be_pinned(
    trust: Trust, signed: tuple[str, str], blob: BlobRef, identity: ExpectedIdentity
) -> None:
    pinned = identity.model_copy(update={"source_uri": "https://git.example.org/x", "source_digest": "a" * 40})
    verify_file(trust, blob, signed[0], pinned)
    for field, value in (("source_uri", "https://git.example.org/y"), ("source_digest", "b" * 40)):
        with pytest.raises(VerificationError):
            verify_file(trust, blob, signed[0], pinned.model_copy(update={field: value}))


def with_subjects(value: object) -> Callable[[dict[str, Any]], None]:
    return lambda statement: statement.update(subject=value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.update(predicateType="https://slsa.dev/provenance/v0.2"), "not SLSA provenance v1"),
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "of type"),
        (lambda s: s["subject"].append(s["subject"][0]), "2 subjects"),
        (lambda s: s["subject"][0].update(name="other-1.0-py3-none-any.whl"), "is about 'other-1.0"),
        (lambda s: s["subject"][0]["digest"].update(sha256="0" * 64), "other bytes"),
        (lambda s: s["subject"][0].update(digest={"sha512": "0" * 128}), "not a complete"),
        (lambda s: s["predicate"]["runDetails"]["builder"].update(id="https://farm.example/b"), "names the builder"),
        (lambda s: s["predicate"].pop("runDetails"), "not a complete"),
        (lambda s: s.pop("predicate"), "not a complete"),
        (with_subjects([]), "not a complete"),
        (with_subjects("x"), "not a complete"),
        (with_subjects([{"name": 5}]), "not a complete"),
    ],
)
def test_a_well_signed_statement_about_something_else_is_refused(
    trust: Trust, sign_as: SignAs, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    changed = statement(sign_as.blob, sign_as.identity)
    change(changed)
    _, bundle = sign_as(canonical_json(changed))
    with pytest.raises(VerificationError, match=reason):
        verify_provenance(trust, sign_as.blob, bundle, NAME, sign_as.identity)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b"\xff", b"{", b'{"subject":[],"subject":[]}', b"[" * 100_000, b"1e999999"],
)
def test_a_well_signed_payload_that_is_no_statement_is_refused(trust: Trust, sign_as: SignAs, payload: bytes) -> None:
    _, bundle = sign_as(payload)
    with pytest.raises(VerificationError):
        verify_provenance(trust, sign_as.blob, bundle, NAME, sign_as.identity)


@pytest.mark.parametrize(
    "bundle",
    ["", "{}", "[]", "null", "\x00", "{" * 50_000, "[" * 200_000, " " * (MAX_BUNDLE_BYTES + 1), b"\xff\xfe", "\ud800"],
    ids=lambda value: f"{len(value)}-{value[:2]!r}",
)
def test_what_is_no_bundle_is_refused(
    trust: Trust, blob: BlobRef, identity: ExpectedIdentity, bundle: str | bytes
) -> None:
    with pytest.raises(VerificationError):
        verify_file(trust, blob, bundle, identity)
    with pytest.raises(VerificationError):
        verify_provenance(trust, blob, bundle, NAME, identity)


JUNK: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    "",
    "0",
    "-1",
    "99999999999999999999",
    "AAAA",
    "é",
    [],
    {},
    [None],
    {"a": 1},
    "9" * 5000,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in children for found in places(child, (*path, key)))]


def replaced(bundle: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed: Any = copy.deepcopy(bundle)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return dict(changed)


def mutations(text: str, rng: random.Random) -> list[str]:
    """Every field replaced by junk of other types, and every binary field with bytes changed inside."""
    bundle = json.loads(text)
    found: list[str] = []
    for path in places(bundle)[1:]:
        found += [json.dumps(replaced(bundle, path, junk)) for junk in rng.sample(JUNK, 5)]
        value: Any = bundle
        for key in path:
            value = value[key]
        if isinstance(value, str) and len(value) > 40:
            found += [json.dumps(replaced(bundle, path, changed)) for changed in corrupted(value, rng)]
    return found


def corrupted(value: str, rng: random.Random) -> list[str]:
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        data = value.encode()
    found: list[str] = []
    for _ in range(25):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 4))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        found.append(base64.b64encode(bytes(changed)).decode())
    return [*found, base64.b64encode(data[: len(data) // 2]).decode()]


# A mutated certificate can have a serial number that a later cryptography will refuse to parse: fine either way.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("which", [0, 1], ids=["signature", "provenance"])
def test_every_mutated_bundle_is_refused_with_the_one_error(
    trust: Trust, signed: tuple[str, str], blob: BlobRef, identity: ExpectedIdentity, which: int
) -> None:
    accepted: list[str] = []
    for text in mutations(signed[which], random.Random(740)):  # noqa: S311 - the same mutations in every run
        try:
            if which == 0:
                verify_file(trust, blob, text, identity)
            else:
                verify_provenance(trust, blob, text, NAME, identity)
        except VerificationError:
            continue
        accepted.append(text)
    # Two spellings of one thing may both be right; no accepted bundle may differ in what was signed or by whom.
    original = json.loads(signed[which])
    for text in accepted:
        changed = json.loads(text)
        for key in ("messageSignature", "dsseEnvelope"):
            assert changed.get(key) == original.get(key)
        assert changed["verificationMaterial"]["certificate"] == original["verificationMaterial"]["certificate"]


def test_a_trust_file_that_is_none_is_one_error(tmp_path: Path, authority: Authority) -> None:
    path = tmp_path / "trust.json"
    with pytest.raises(TrustRootError, match="cannot be read"):
        load_trust(path)
    config = authority.trust_config("https://farm.example/oidc")
    config["trustedRoot"]["tlogs"] = []
    for content in (b"", b"{}", b"[]", b"\xff", b"{" * 9999, b" " * (5 * 1024 * 1024), json.dumps(config).encode()):
        path.write_bytes(content)
        with pytest.raises(TrustRootError):
            load_trust(path)
    with pytest.raises(TrustRootError):
        load_trust(tmp_path)


@pytest.mark.parametrize("field", ["certificateAuthorities", "ctlogs", "timestampAuthorities"])
def test_a_trust_root_without_a_part_verifies_nothing(
    authority: Authority, signed: tuple[str, str], blob: BlobRef, identity: ExpectedIdentity, field: str
) -> None:
    config = authority.trust_config(identity.issuer)
    config["trustedRoot"][field] = []
    with pytest.raises((TrustRootError, VerificationError)):
        verify_file(parse_trust(json.dumps(config).encode(), "test"), blob, signed[0], identity)
