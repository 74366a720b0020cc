"""PURE. Bodies as they come over the wire: capped, and unpacked under the same cap."""

import zlib
from dataclasses import dataclass

CHUNK = 1 << 20
GZIP = 31  # window bits: gzip framing alone


class TooLarge(ValueError):  # noqa: N818 - it is an answer
    """Over the cap, as it came or unpacked."""


class Damaged(ValueError):  # noqa: N818 - it is an answer
    """Not what its encoding says."""


@dataclass(frozen=True)
class Body:
    """What was sent; `cut_off` when the packed stream ended before its end."""

    content: bytes
    cut_off: bool = False


def unpack(packed: bytes, *, encoding: str, max_bytes: int) -> Body:
    """The body as it was before its Content-Encoding. Stops as soon as it grows over the cap."""
    if len(packed) > max_bytes:
        raise TooLarge
    if encoding in {"", "identity"}:
        return Body(packed)
    return _gunzip(packed, max_bytes=max_bytes)


def _gunzip(packed: bytes, *, max_bytes: int) -> Body:
    parts: list[bytes] = []
    size, rest = 0, packed
    while rest:
        stream = zlib.decompressobj(GZIP)
        while rest and not stream.eof:
            try:
                parts.append(stream.decompress(rest, CHUNK))
            except zlib.error as error:
                raise Damaged(f"The body is not the gzip that its Content-Encoding promises ({error}).") from error
            size += len(parts[-1])
            if size > max_bytes:
                raise TooLarge
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
        if not stream.eof:
            return Body(b"".join([*parts, stream.flush()])[:max_bytes], cut_off=True)
    return Body(b"".join(parts))
