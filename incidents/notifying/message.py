"""PURE. What people are told: one sentence, how bad, what to do next and where; short enough for a phone."""

from dataclasses import dataclass

MOST_SENTENCE = 300
TITLES = {
    "opened": "opened", "cause": "its cause is now another", "severity": "it is worse now", "resolved": "it is over",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What a message is made of. `address`: the incident's page; `ref`: the same at every attempt."""

    occasion: str
    number: int
    severity: str
    verdict: str
    state: str
    headline: str
    address: str
    ref: str
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A title of one line, and a text of a few."""

    title: str
    text: str


def compose(told: Told) -> Message:
    """The message about an incident."""
    title = f"Incident {told.number}, {told.severity}: {TITLES[told.occasion]}"
    lines = [f"{shortened(told.headline)}.", next_step(told), told.address, f"ref {told.ref}"]
    return Message(title, "\n".join(lines))


def compose_test(*, channel: str, asked_by: str, address: str, ref: str) -> Message:
    """The message that tries a channel out."""
    text = f"{asked_by} sent this to see whether “{channel}” works. Nothing is wrong.\n{address}\nref {ref}"
    return Message("Faultline: a test message", text)


def next_step(told: Told) -> str:
    """What to do, by how far the answer has come."""
    if told.state in {"resolved", "dismissed"}:
        word = "resolved" if told.state == "resolved" else "dismissed: it was nothing"
        return f"It is {word}. Next: nothing tonight; its timeline is there for the postmortem."
    if told.verdict == "app":
        return "Next: tell the owner of the app. Neither a host nor a deploy is to blame."
    if told.taken_by:
        return f"{told.taken_by} is on it. Next: look whether the plan still fits."
    if told.verdict == "deploy":
        return "Next: take it, look at the suspects, start its runbook."
    return "Next: take it, and look at the hosts that it names."


def shortened(sentence: str) -> str:
    """At most so many characters, cut between words."""
    sentence = sentence.rstrip(".")
    if len(sentence) <= MOST_SENTENCE:
        return sentence
    return sentence[:MOST_SENTENCE].rsplit(" ", 1)[0] + " …"


def masked(address: str) -> str:
    """An address as it may be shown: its scheme, and its end where enough stands before that."""
    scheme, _, rest = address.partition("://")
    rest = rest.partition("?")[0].rstrip("/")
    return f"{scheme.lower()[:20]}://…{rest[-3:] if len(rest) >= 12 else ''}"


def pause_seconds(attempts: int, dice: float) -> float:
    """How long to wait after so many attempts in vain: 5 s, doubled each time up to 15 min, a fifth of it by chance.

    `dice`: 0 to 1. Channels that failed together do not come back together.
    """
    return min(900.0, 5.0 * 2.0 ** min(attempts - 1, 10)) * (0.8 + 0.4 * dice)
