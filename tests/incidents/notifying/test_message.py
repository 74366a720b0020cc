"""What people read, and how long they wait for it."""

import pytest

from incidents.notifying.message import MOST_SENTENCE, Told, compose, compose_test, masked, next_step, pause_seconds
from incidents.notifying.program import redacted

TOLD = Told(
    "opened", 12, "major", "deploy", "open", "Redeploy d3 did it.", "https://f.example/incidents/12", "3fa2b81c"
)


def like(**changes: str) -> Told:
    return Told(**{name: getattr(TOLD, name) for name in Told.__slots__} | changes)


def test_a_message_fits_a_phone() -> None:
    message = compose(like(headline="many words " * 100))
    assert len(message.title) < 60
    assert len(message.text) < MOST_SENTENCE + 200
    assert message.text.splitlines()[0].endswith("words ….")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "start its runbook"),
        ({"verdict": "host"}, "look at the hosts"),
        ({"verdict": "app"}, "the owner of the app"),
        ({"state": "acknowledged", "taken_by": "robin"}, "robin is on it"),
        ({"state": "resolved", "taken_by": "robin"}, "It is resolved"),
        ({"state": "dismissed"}, "it was nothing"),
    ],
)
def test_the_next_step_is_one_that_makes_sense(changes: dict[str, str], words: str) -> None:
    assert words in next_step(like(**changes))


@pytest.mark.parametrize("occasion", ["opened", "cause", "severity", "resolved"])
def test_every_occasion_has_a_title(occasion: str) -> None:
    assert compose(like(occasion=occasion)).title.startswith("Incident 12, major: ")


def test_a_test_message_says_that_nothing_is_wrong() -> None:
    message = compose_test(channel="on call", asked_by="ada", address="https://f.example", ref="1")
    assert "Nothing is wrong" in message.text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack://…7FQ"),
        ("JSON://host/path-of-some-length?token=hidden", "json://…gth"),
        ("json://short", "json://…"),
        ("nonsense", "nonsense://…"),
    ],
)
def test_an_address_is_shown_by_its_scheme_and_its_end(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_pauses_grow_to_a_quarter_of_an_hour_and_are_spread() -> None:
    assert [pause_seconds(n, 0.5) for n in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert pause_seconds(50, 0.5) == 900
    assert (pause_seconds(1, 0.0), round(pause_seconds(1, 1.0), 6)) == (4, 6)
    assert 30 < sum(pause_seconds(n, 0.5) for n in range(1, 10)) / 60 < 45


@pytest.mark.parametrize(
    ("said", "address", "words"),
    [
        ("No way to 10.0.0.1 at /hooks/abcdef", "json://10.0.0.1/hooks/abcdef", "No way to 10.0.0.1 at /…/…"),
        ("Token ABCDEFG refused", "tgram://abcdefg/1234", "Token … refused"),
        ("user bob%40x.org, bob@x.org", "mailto://bob%40x.org:pw@mail.x.org", "user …, …"),
    ],
)
def test_errors_are_shown_without_what_may_be_secret(said: str, address: str, words: str) -> None:
    assert redacted(said, address) == words
