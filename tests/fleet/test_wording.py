"""Numbers with their nouns."""

import pytest

from fleet.templatetags.faultline import sparkline
from fleet.wording import count, plural


@pytest.mark.parametrize(
    ("number", "noun", "several", "words"),
    [
        (0, "host", "", "0 hosts"), (1, "host", "", "1 host"), (2, "host", "", "2 hosts"),
        (0, "crash", "crashes", "0 crashes"), (1, "crash", "crashes", "1 crash"), (9, "crash", "crashes", "9 crashes"),
        (2, "crash", "crashes", "2 crashes"), (1000, "crash", "crashes", "1000 crashes"),
        (1, "moved dyno", "", "1 moved dyno"), (2, "moved dyno", "", "2 moved dynos"),
    ],
)  # fmt: skip
def test_a_number_has_its_noun(number: int, noun: str, several: str, words: str) -> None:
    assert count(number, noun, several) == words


def test_a_verb_follows_its_number() -> None:
    assert [plural(number, "waits", "wait") for number in (0, 1, 2)] == ["wait", "waits", "wait"]
    assert [plural(number, "host") for number in (0, 1, 2, 1000)] == ["hosts", "host", "hosts", "hosts"]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([0, 1, 0], "1 crash in 3 minutes, at most 1 in one"), ([2], "2 crashes in 1 minute, at most 2 in one"),
        ([], "0 crashes in 0 minutes, at most 0 in one"),
    ],
)  # fmt: skip
def test_a_sparkline_is_told_to_those_who_cannot_see_it(counts: list[int], words: str) -> None:
    assert f'aria-label="{words}"' in sparkline(counts)
