"""Bodies as they come over the wire."""

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.ingest.bodies import Damaged, TooLarge, unpack

CAP = 1_000_000


def test_a_plain_body_comes_through_up_to_the_cap() -> None:
    assert unpack(b"x" * 10, encoding="", max_bytes=10).content == b"x" * 10
    with pytest.raises(TooLarge):
        unpack(b"x" * 11, encoding="", max_bytes=10)


@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=4))
def test_gzip_of_several_members_comes_through(parts: Any) -> None:
    body = unpack(b"".join(gzip.compress(part) for part in parts), encoding="gzip", max_bytes=CAP)
    assert body.content == b"".join(parts)
    assert not body.cut_off


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 60))
def test_a_stream_cut_off_gives_what_came(content: Any, missing: Any) -> None:
    packed = gzip.compress(content)
    body = unpack(packed[: max(1, len(packed) - missing)], encoding="gzip", max_bytes=CAP)
    assert body.cut_off
    assert content.startswith(body.content)


def test_a_bomb_is_stopped_at_the_cap() -> None:
    bomb = gzip.compress(b"\0" * 500_000_000, compresslevel=1)
    assert len(bomb) < 5_000_000
    with pytest.raises(TooLarge):
        unpack(bomb, encoding="gzip", max_bytes=5_000_000)


@pytest.mark.parametrize(
    "packed", [b"not gzip at all", zlib.compress(b"zlib is not gzip"), gzip.compress(b"x", mtime=0) + b"tail"]
)
def test_what_is_no_gzip_is_told(packed: Any) -> None:
    with pytest.raises(Damaged):
        unpack(packed, encoding="gzip", max_bytes=CAP)


def test_a_wrong_checksum_is_told() -> None:
    packed = bytearray(gzip.compress(b"content" * 100))
    packed[-6] ^= 1
    with pytest.raises(Damaged):
        unpack(bytes(packed), encoding="gzip", max_bytes=CAP)
