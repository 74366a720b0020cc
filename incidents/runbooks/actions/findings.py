"""PURE. What a host's answer to `verify` comes to."""

from collections.abc import Mapping
from typing import Any, Literal

Finding = Literal["damaged", "intact"]
MOST_STATEMENTS = 4


def verification_finding(result: Mapping[str, Any]) -> tuple[Finding, str]:
    """Whether the image is damaged for the dynos that run on it, and why, in one sentence.

    Damaged is what read wrongly, or what changed after dynos had started on it: its digest may be right all the same.
    """
    late = list(result.get("changed_after_start_of") or [])
    against = list(result.get("against") or [])
    if result.get("damaged") or late:
        return "damaged", _sentence(against or [f"the file changed after {len(late)} dynos started on it"])
    return "intact", _sentence(list(result.get("in_favour") or ["nothing speaks against the image"]))


def _sentence(statements: list[str]) -> str:
    shown = statements[:MOST_STATEMENTS]
    text = "; ".join(shown)
    return f"{text[:1].upper()}{text[1:]}."
