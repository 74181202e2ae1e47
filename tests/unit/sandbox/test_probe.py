from __future__ import annotations

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from farm.errors import IsolationError
from farm.model.evidence import Verdict
from farm.sandbox.guest import escape
from farm.sandbox.probe import Expectation, judge

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = Expectation(
    env=frozenset({"PATH", "HOME", "HOSTNAME"}), inputs=frozenset({"/in/a"}), writable=frozenset({"/out"}), user=1000
)


def mount(point: str, *options: str, kind: str = "tmpfs", propagation: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"point": point, "options": list(options), "propagation": list(propagation), "type": kind}


GOOD: dict[str, Any] = {
    "version": 1,
    "pid": 1,
    "uids": [1000, 1000, 1000],
    "gids": [1000],
    "status": {
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0000000000000000"),
        "NoNewPrivs": "1",
        "Seccomp": "2",
    },
    "interfaces": ["lo"],
    "routes": [],
    "connects": [
        ["tcp 192.0.2.1 port 443", "ENETUNREACH"],
        ["dns 127.0.0.1", "ECONNREFUSED"],
        ["unix /run/docker.sock", "ENOENT"],
    ],
    "sockets": {
        "AF_ALG": "EPERM",
        "AF_BLUETOOTH": "EAFNOSUPPORT",
        "AF_PACKET": "EPERM",
        "AF_UNSPEC": "EPERM",
        "AF_VSOCK": "EPERM",
        "io_uring": "ENOSYS",
    },
    "unfiltered": "",
    "unix": [],
    "env": ["HOME", "HOSTNAME", "PATH"],
    "writable": [],
    "special": {},
    "mounts": [
        mount("/", "ro", "relatime", kind="overlay", propagation=("master:2",)),
        mount("/proc", "rw", kind="proc"),
        mount("/proc/acpi", "ro"),
        mount("/dev", "rw", "nosuid"),
        mount("/sys/fs/cgroup/pids", "ro", kind="cgroup"),
        mount("/etc/hosts", "ro", kind="ext4"),
        mount("/in/a", "ro", kind="ext4"),
        mount("/out", "rw", "nosuid", "nodev", "noexec"),
    ],
    "devices": ["null", "zero", "fd", "pts", "shm"],
    "hardened": True,
}


def put(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(facts: dict[str, Any]) -> None:
        target: Any = facts
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value

    return change


def also(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda facts: facts[key].append(value)


def without(key: str, index: int | str | None = None) -> Callable[[dict[str, Any]], None]:
    def change(facts: dict[str, Any]) -> None:
        if index is None:
            del facts[key]
        else:
            del facts[key][index]

    return change


WEAKENED = {
    "interface eth0": (also("interfaces", "eth0"), "network interface eth0"),
    "route": (also("routes", "eth0"), "route through eth0"),
    "tcp went out": (also("connects", ["tcp 192.0.2.1 port 443", "EINPROGRESS"]), "EINPROGRESS"),
    "refused means answered": (also("connects", ["tcp 169.254.169.254 port 80", "ECONNREFUSED"]), "ECONNREFUSED"),
    "udp": (also("connects", ["udp 192.0.2.1 port 443", "connected"]), "udp 192.0.2.1"),
    "dns answered": (also("connects", ["dns 127.0.0.11", "answered"]), "dns 127.0.0.11: answered"),
    "dns sent": (also("connects", ["dns 192.0.2.53", "sent"]), "sent"),
    "engine socket": (also("connects", ["unix /run/docker.sock", "connected"]), "unix /run/docker.sock"),
    "engine socket there": (also("connects", ["unix /run/docker.sock", "ECONNREFUSED"]), "unix /run/docker.sock"),
    "vsock": (put("sockets", "AF_VSOCK", value="created, to the host: connected"), "AF_VSOCK: created"),
    "vsock refused": (put("sockets", "AF_VSOCK", value="created, to the host: ECONNRESET"), "AF_VSOCK: created"),
    "alg": (put("sockets", "AF_ALG", value="created"), "AF_ALG: created"),
    "socket not tried": (without("sockets", "AF_PACKET"), "AF_PACKET: not tried"),
    "socket unknown": (put("sockets", "AF_NEW", value="EPERM"), "AF_NEW"),
    "no filter answers": (put("sockets", "AF_UNSPEC", value="EAFNOSUPPORT"), "AF_UNSPEC: EAFNOSUPPORT"),
    "io_uring": (put("sockets", "io_uring", value="EFAULT"), "io_uring: EFAULT"),
    "filter refused": (put("unfiltered", value="no socket filter for the machine 'riscv64'"), "riscv64"),
    "abstract socket": (also("unix", "@/containerd"), "@/containerd"),
    "environment": (also("env", "AWS_SECRET_ACCESS_KEY"), "AWS_SECRET_ACCESS_KEY"),
    "root writable": (also("writable", "/etc"), "/etc can be written"),
    "input writable": (also("writable", "/in/a"), "/in/a can be written"),
    "socket among the inputs": (put("special", "/in/a/s", value="socket"), '"/in/a/s" is no file'),
    "pipe among the inputs": (put("special", "/in/a/p", value="pipe"), '"/in/a/p" is no file'),
    "input is a socket": (put("special", "/in/a", value="socket"), '"/in/a" is no file'),
    "input that cannot be looked at": (put("special", "/in/a", value="EACCES"), "EACCES"),
    "a peer's socket without a peer": (also("mounts", mount("/run/peer.sock", "ro")), "/run/peer.sock is mounted from"),
    "pid shared": (put("pid", value=4711), "process 4711"),
    "root": (put("uids", value=[1000, 1000, 0]), "user ids"),
    "group": (put("gids", value=[0, 1000]), "group ids"),
    "capability": (put("status", "CapEff", value="00000000a80425fb"), "CapEff"),
    "bounding set": (put("status", "CapBnd", value="0000000000000001"), "CapBnd"),
    "capability unknown": (without("status", "CapEff"), "CapEff missing"),
    "new privileges": (put("status", "NoNewPrivs", value="0"), "NoNewPrivs"),
    "no seccomp": (put("status", "Seccomp", value="0"), "Seccomp"),
    "seccomp unknown": (without("status", "Seccomp"), "Seccomp is missing"),
    "host folder": (also("mounts", mount("/host", "ro", kind="ext4")), "/host is mounted from outside"),
    "submount": (also("mounts", mount("/in/a/sub", "rw", kind="ext4")), "/in/a/sub"),
    "input rw": (put("mounts", 6, "options", value=["rw"]), "/in/a is not mounted read-only"),
    "root rw": (put("mounts", 0, "options", value=["rw"]), "/ is not mounted read-only"),
    "input not mounted": (without("mounts", 6), "/in/a is not the mount"),
    "output on disk": (put("mounts", 7, "type", value="ext4"), "/out is ext4"),
    "output suid": (put("mounts", 7, "options", value=["rw", "nodev"]), "nosuid"),
    "shared mount": (put("mounts", 6, "propagation", value=["shared:3"]), "propagate"),
    "slave mount": (put("mounts", 6, "propagation", value=["master:3"]), "propagate"),
    "shared root": (put("mounts", 0, "propagation", value=["shared:1"]), "propagate"),
    "disk": (also("devices", "sda"), "/dev/sda"),
    "guest traceable": (put("hardened", value=False), "can be traced"),
    "kvm": (also("devices", "kvm"), "/dev/kvm"),
}
MALFORMED = {
    "missing": without("interfaces"),
    "inputs not looked at": without("special"),
    "unknown": put("more", value=1),
    "string for number": put("pid", value="1"),
    "boolean for number": put("uids", value=[True, 1000, 1000]),
    "two user ids": put("uids", value=[1000, 1000]),
    "nothing tried": put("connects", value=[]),
    "no mounts": put("mounts", value=[]),
    "another version": put("version", value=2),
    "null": put("env", value=None),
}


def test_a_sandbox_as_it_must_be_passes_with_one_constant_line() -> None:
    verdict = judge(json.dumps(GOOD).encode(), EXPECTED)

    assert verdict.startswith("isolated: no network")
    assert "\n" not in verdict
    assert verdict == judge(json.dumps({**GOOD, "env": []}).encode(), EXPECTED)


@pytest.mark.parametrize("name", WEAKENED)
def test_anything_that_gets_through_is_named(name: str) -> None:
    change, word = WEAKENED[name]
    facts = copy.deepcopy(GOOD)
    change(facts)

    with pytest.raises(IsolationError, match="got through") as caught:
        judge(json.dumps(facts).encode(), EXPECTED)

    assert word in caught.value.message
    assert len(caught.value.details["findings"]) == 1


PEER = "/run/peer.sock"
WITH_PEER = dataclasses.replace(EXPECTED, peer=PEER)


def good_with_peer() -> dict[str, Any]:
    facts = copy.deepcopy(GOOD)
    facts["special"] = {PEER: "socket"}
    facts["mounts"].append(mount(PEER, "ro", kind="ext4"))
    return facts


OF_PEER = {
    "not mounted": (without("mounts", -1), "/run/peer.sock is not the mount"),
    "not there": (without("special", PEER), "is no socket"),
    "a pipe": (put("special", PEER, value="pipe"), "is no socket: pipe"),
    "cannot be looked at": (put("special", PEER, value="ENOENT"), "is no socket: ENOENT"),
    "writable": (put("mounts", -1, "options", value=["rw"]), "not mounted read-only"),
    "shared": (put("mounts", -1, "propagation", value=["shared:1"]), "propagate"),
    "covered": (also("mounts", mount(PEER, "ro")), "more than once"),
    "its folder too": (also("mounts", mount("/run", "ro")), "/run is mounted from outside"),
    "a second one": (also("mounts", mount("/run/other.sock", "ro")), "/run/other.sock is mounted from outside"),
    "a second one in an input": (put("special", "/in/a/s", value="socket"), '"/in/a/s" is no file'),
}


def test_with_a_peer_the_verdict_names_it_and_is_otherwise_the_same() -> None:
    verdict = judge(json.dumps(good_with_peer()).encode(), WITH_PEER)

    assert verdict == judge(json.dumps(GOOD).encode(), EXPECTED) + "; one peer: recorder"
    assert TypeAdapter(Verdict).validate_python(verdict) == verdict


@pytest.mark.parametrize("name", OF_PEER)
def test_a_peer_is_one_socket_and_nothing_else(name: str) -> None:
    change, word = OF_PEER[name]
    facts = good_with_peer()
    change(facts)

    with pytest.raises(IsolationError, match="got through") as caught:
        judge(json.dumps(facts).encode(), WITH_PEER)

    assert word in caught.value.message
    assert len(caught.value.details["findings"]) == 1


@pytest.mark.parametrize("name", [name for name in WEAKENED if not name.startswith("a peer's")])
def test_a_peer_excuses_nothing(name: str) -> None:
    facts = good_with_peer()
    WEAKENED[name][0](facts)

    with pytest.raises(IsolationError) as caught:
        judge(json.dumps(facts).encode(), WITH_PEER)

    assert WEAKENED[name][1] in caught.value.message


def test_a_peer_that_was_not_asked_for_is_a_finding() -> None:
    with pytest.raises(IsolationError, match="mounted from outside"):
        judge(json.dumps(good_with_peer()).encode(), EXPECTED)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_report_is_no_isolation(name: str) -> None:
    facts = copy.deepcopy(GOOD)
    MALFORMED[name](facts)

    with pytest.raises(IsolationError, match="cannot be read"):
        judge(json.dumps(facts).encode(), EXPECTED)


@given(st.binary(max_size=200))
def test_bytes_are_no_isolation(raw: bytes) -> None:
    with pytest.raises(IsolationError):
        judge(raw, EXPECTED)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner, max_size=4),
        max_leaves=20,
    )
)
def test_json_of_any_shape_is_no_isolation(value: Any) -> None:
    with pytest.raises(IsolationError):
        judge(json.dumps(value).encode(), EXPECTED)


@given(st.sampled_from(sorted(WEAKENED)), st.sampled_from(sorted(WEAKENED)))
def test_findings_do_not_hide_each_other(one: str, other: str) -> None:
    facts = copy.deepcopy(GOOD)
    for name in {one, other}:
        try:
            WEAKENED[name][0](facts)
        except (IndexError, KeyError):
            return
    with pytest.raises(IsolationError):
        judge(json.dumps(facts).encode(), EXPECTED)


def test_the_collector_reports_what_the_judge_reads_and_this_process_is_no_sandbox() -> None:
    facts = json.dumps(escape.collect([], escape.process_status(), "")).encode()

    with pytest.raises(IsolationError, match="got through") as caught:
        judge(facts, EXPECTED)

    assert any("process namespace" in finding for finding in caught.value.details["findings"])
