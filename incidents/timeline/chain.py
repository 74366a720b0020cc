"""PURE. The chain of a timeline: each entry's digest covers its content and the digest of the one before."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

FIELDS = (
    "incident", "sequence", "occurred_at", "recorded_at", "kind", "actor_kind", "actor", "text", "data", "previous",
)  # fmt: skip
EXACT_FLOAT = 1e15


def digest_of_content(content: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the canonical JSON of the fields; times are ISO 8601 in UTC, as the exports write them."""
    chosen = {field: content[field] for field in FIELDS}
    canonical = json.dumps(chosen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def first_break_in(contents: Iterable[Mapping[str, Any]]) -> int | None:
    """The sequence at which a whole timeline, in order, stops being the one that was written; None when it is whole.

    Each content carries the fields and its `digest`, as in the JSON export: who has the file alone can check it. What
    is `withheld` there cannot be checked by its content; that a later entry hides it can, and so can its place.
    """
    contents, previous = list(contents), ""
    hidden = {content["data"].get("entry") for content in contents if content["kind"] == "hidden"}
    for expected, content in enumerate(contents, start=1):
        withheld = content.get("withheld") and expected in hidden
        digest = content["digest"] if withheld else digest_of_content(content)
        if (content["sequence"], content["previous"], content["digest"]) != (expected, previous, digest):
            return expected
        previous = content["digest"]
    return None


def settled(value: Any) -> Any:
    """JSON data as PostgreSQL gives it back, so that a digest made before storing equals one made after reading."""
    if isinstance(value, dict):
        return {settled_text(str(key)): settled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [settled(item) for item in value]
    if isinstance(value, float):
        return _settled_float(value)
    return settled_text(value) if isinstance(value, str) else value


def settled_text(text: str) -> str:
    """Text that can be stored: without NUL, and with lone surrogates replaced."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _settled_float(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if abs(value) >= EXACT_FLOAT and value.is_integer() else value + 0.0
