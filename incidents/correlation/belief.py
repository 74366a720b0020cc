"""How likely each deploy is to blame, among the other deploys, the causes that are no deploys, and nothing at all."""

from collections.abc import Sequence

import numpy as np

from incidents.correlation.events import Floats
from incidents.correlation.explain import Explanation
from incidents.correlation.scene import Scene
from incidents.correlation.settings import Settings
from incidents.correlation.vetoes import Ruling


def probabilities(scene: Scene, explanations: Sequence[Explanation], rivals: Sequence[float]) -> list[float]:
    """Of each explanation; `rivals`: scores of causes that are no deploys.

    What is open is held against nothing alone: the others are judged by what it leaves unexplained.
    """
    settings = scene.settings
    scores = np.array([held_score(explanation, settings) for explanation in explanations])
    entries = [scene.ledger.entries.get(("deploy", e.deploy)) for e in explanations]
    named = np.array([entry is not None and entry.closed_bin is None for entry in entries], dtype=bool)
    peaks = np.array([entry.peak if entry else 0.0 for entry in entries])
    chances = np.zeros(len(explanations))
    chances[~named] = softmax(scores[~named], [settings.nothing_score, *rivals])
    for place in np.flatnonzero(named):
        chances[place] = softmax(np.maximum(scores, peaks)[[place]], [settings.nothing_score])[0]
    return [float(chance) for chance in chances]


def held_score(explanation: Explanation, settings: Settings) -> float:
    """The score, more where all tests are passed, less where one is not; as it is where none was made yet."""
    costs = {Ruling.PASS: -settings.pass_gain, Ruling.WAIT: settings.wait_cost, Ruling.REFUSE: settings.refuse_cost}
    return explanation.plain_score - (costs[explanation.ruling] if explanation.findings else 0.0)


def softmax(scores: Floats, others: Sequence[float]) -> Floats:
    """Share of each score's weight e^score in that of all, `others` among them."""
    if not len(scores):
        return np.zeros(0)
    everything = np.concatenate([scores, np.array(others, dtype=float)])
    weights = np.exp(everything - everything.max())
    shares: Floats = weights[: len(scores)] / weights.sum()
    return shares
