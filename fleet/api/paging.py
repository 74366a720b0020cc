"""Pages by cursor: a place in an order, which later rows do not shift."""

import base64
import binascii

from fleet.api.problems import Problem


def cursor_of(place: int) -> str:
    """A place as senders hand it back; they need not look into it."""
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> int | None:
    """The place that a cursor names; None without one. Raises Problem."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor[:40] + "=" * (-len(cursor[:40]) % 4)).decode("ascii")
        place = int(text) if text.isdigit() else -1
    except (binascii.Error, ValueError) as error:
        raise _unknown() from error
    if not 0 <= place < 2**63:
        raise _unknown()
    return place


def _unknown() -> Problem:
    return Problem(422, "This cursor is none of ours; take it from `next` of the page before, or leave it out.")
