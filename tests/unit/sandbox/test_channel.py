from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.sandbox.channel import AttachStream, LogSink

if TYPE_CHECKING:
    from pathlib import Path


class Pipe:
    """A socket that hands out `data` in pieces of at most `piece` bytes."""

    def __init__(self, data: bytes, piece: int = 1 << 20) -> None:
        self.data = data
        self.piece = piece
        self.sent = b""

    def recv(self, size: int, /) -> bytes:
        size = min(size, self.piece)
        part, self.data = self.data[:size], self.data[size:]
        return part

    def sendall(self, data: bytes, /) -> None:
        self.sent += data

    def settimeout(self, seconds: float | None, /) -> None:
        assert seconds is not None
        assert seconds > 0

    def close(self) -> None:
        self.data = b""


class Broken(Pipe):
    def recv(self, size: int, /) -> bytes:
        raise ConnectionResetError(size)

    def sendall(self, data: bytes, /) -> None:
        raise BrokenPipeError(data)


def chunk(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


def attach(pipe: Pipe, log: LogSink) -> AttachStream:
    stream = AttachStream(pipe, log)
    stream.allow(5)
    return stream


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)), max_size=12),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_both_streams_come_apart_whatever_the_pieces(
    tmp_path: Path, chunks: list[tuple[int, bytes]], piece: int, size: int
) -> None:
    data = b"".join(chunk(*c) for c in chunks)
    got = b""
    with LogSink(tmp_path / "log", 1000) as log:
        stream = attach(Pipe(data, piece), log)
        while part := stream.read(size):
            got += part

    assert got == b"".join(d for s, d in chunks if s == 1)
    assert (tmp_path / "log").read_bytes() == b"".join(d for s, d in chunks if s == 2)


def test_reading_exactly_spans_chunks_and_fails_at_the_end(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 10) as log:
        stream = attach(Pipe(chunk(1, b"ab") + chunk(2, b"l") + chunk(1, b"cd")), log)

        assert stream.read_exactly(3) == b"abc"
        with pytest.raises(EOFError, match="1 bytes early"):
            stream.read_exactly(2)


def test_a_chunk_cut_short_is_an_end(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 10) as log:
        stream = attach(Pipe(chunk(1, b"abcdef")[:-2]), log)

        assert stream.read_exactly(4) == b"abcd"
        assert stream.read(1) == b""


def test_a_broken_connection_is_an_end(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 10) as log:
        stream = attach(Broken(b""), log)

        assert stream.read(1) == b""
        with pytest.raises(EOFError):
            stream.send(b"x")


def test_nothing_is_read_past_the_deadline(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 10) as log:
        stream = AttachStream(Pipe(chunk(1, b"abc")), log)
        stream.allow(0)

        with pytest.raises(TimeoutError):
            stream.read(1)
        with pytest.raises(TimeoutError):
            stream.send(b"x")


def test_a_log_that_floods_is_cut_and_its_end_is_kept(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 100) as log:
        for number in range(10_000):
            log.write(b"%d\n" % number)
        tail = log.tail

    text = (tmp_path / "log").read_text()
    assert text.startswith("0\n1\n2\n")
    assert "bytes are missing" in text
    assert text.endswith("9998\n9999\n")
    assert len(text) < 100 + 4096 + 200
    assert tail.endswith("9999\n")
    assert len(tail) == 4096


def test_a_short_log_is_kept_as_it_is(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 100) as log:
        log.write(b"caf\xe9\n")

    assert (tmp_path / "log").read_bytes() == b"caf\xe9\n"
    assert log.tail == "caf\ufffd\n"


def test_the_tail_is_fit_for_a_terminal_and_the_file_is_as_it_came(tmp_path: Path) -> None:
    with LogSink(tmp_path / "log", 1000) as sink:
        sink.write(b"\x1b[31mred\x1b[0m\x1b]0;title\x07\r\nnext\tword\n")

    assert sink.tail == "red]0;title\nnext\tword\n"
    assert (tmp_path / "log").read_bytes().startswith(b"\x1b[31m")
