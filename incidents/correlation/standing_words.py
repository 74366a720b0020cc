"""What is held of a deploy, as a word and a sentence with its numbers."""

from incidents.correlation.settings import Settings
from incidents.correlation.standing import Standing
from incidents.correlation.verdict import Suspect

TELLING = 3.0  # who would have seen a rise of this size by now may speak of "no sign of harm"
WORDED = {1.25: "a rise by a quarter", 1.5: "a rise by half", 2.0: "a doubling", 3.0: "three times the crashes"}


def word_of(standing: Standing, suspect: Suspect | None, *, blamed: bool, settings: Settings) -> str:
    """cause, suspect, alone, harmless or early."""
    if blamed:
        return "cause"
    if suspect and suspect.score >= settings.page_score / 2:
        return "suspect"
    if standing.alone:
        return "alone"
    return "harmless" if standing.seen_from is not None and standing.seen_from <= TELLING else "early"


def sentence_of(word: str, standing: Standing, suspect: Suspect | None, settings: Settings) -> str:
    """The sentence of a deploy's page."""
    match word:
        case "cause":
            return f"Blamed: its hosts had {_compared(standing)}."
        case "suspect":
            score = suspect.score if suspect else 0.0
            takes = f"score {score:.1f} of the {settings.page_score:g} that a blame takes"
            return f"Suspected, not blamed: {takes}. Its hosts had {_compared(standing)}."
        case "alone":
            return _alone_sentence(standing)
        case "harmless":
            return f"No sign of harm: {_compared(standing)}. {_power(standing)}"
    return f"Too early to tell: {_compared(standing)}. {_power(standing)}"


def _compared(standing: Standing) -> str:
    after = f"after {standing.host_minutes:,.0f} host minutes"
    if standing.rate_ratio is None:
        return f"no crash on either side {after}"
    return f"{_times(standing)} times the crashes of the hosts it had not reached, {after}"


def _times(standing: Standing) -> str:
    low, high = standing.interval
    ratio = standing.rate_ratio or 0.0
    upper = f"{high:.2f}" if high < 1000 else "…"
    return f"{ratio:.2f} [{low:.2f}, {upper}]"


def _alone_sentence(standing: Standing) -> str:
    said = "It reached all its hosts at once: there is nothing to compare with but the time before."
    if standing.rate_ratio is None:
        return f"{said} There were no crashes before."
    return f"{said} They have {_times(standing)} times their crashes of before: by time only, which proves little."


def _power(standing: Standing) -> str:
    if standing.seen_from is None:
        return "No rise of any size would have been seen by now."
    seen = WORDED.get(standing.seen_from, f"{standing.seen_from:g} times the crashes")
    return f"{seen[:1].upper()}{seen[1:]} would have been seen by now."
