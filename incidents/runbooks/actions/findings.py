"""PURE. What a host's answer to `verify` comes to."""

from collections.abc import Mapping
from typing import Any, Literal

from fleet.wording import count

Finding = Literal["damaged", "intact", "unclear"]
MOST_STATEMENTS = 4


def verification_finding(result: Mapping[str, Any]) -> tuple[Finding, str]:
    """Whether the image is damaged for the dynos that run on it, and why, in one sentence.

    Damaged is what read wrongly, or what changed after dynos had started on it: its digest may be right all the same.
    An answer that does not say so either way is unclear: that nothing was told is no proof.
    """
    late, against = _listed(result, "changed_after_start_of"), _listed(result, "against")
    if result.get("damaged") or late:
        return "damaged", _sentence(against or [f"the file changed after {count(len(late), 'dyno')} started on it"])
    if result.get("damaged") is not False:
        return "unclear", "The answer does not say whether the image is damaged."
    return "intact", _sentence(_listed(result, "in_favour") or ["nothing speaks against the image"])


def _listed(result: Mapping[str, Any], name: str) -> list[str]:
    """The statements of that name; a host that sends anything but a list has made none."""
    value = result.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []


def _sentence(statements: list[str]) -> str:
    shown = statements[:MOST_STATEMENTS]
    text = "; ".join(shown)
    return f"{text[:1].upper()}{text[1:]}."
