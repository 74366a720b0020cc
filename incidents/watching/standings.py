"""Keeps, for every deploy, what is held of it by now; the harmless ones too."""

from typing import Any

from fleet.models import Deploy
from incidents.correlation.standing import Standing
from incidents.correlation.standing_words import sentence_of, word_of
from incidents.correlation.verdict import Board
from incidents.models import DeployVerdict
from incidents.watching.memory import Look, Memory, correlation_settings, moment

EVERY_BINS = 5
SHOWN = ("word", "sentence", "score", "rate_ratio", "interval", "host_minutes", "hosts", "controls", "would_have_seen",
         "speaks_for", "speaks_against", "judged_to")  # fmt: skip


def keep_standings(memory: Memory | None, look: Look) -> None:
    """Brings the verdicts of all live deploys up to date: every few bins, and whenever somebody is told."""
    if memory is None or not _is_due(memory, look):
        return
    memory.standings_bin = look.end_bin
    found = memory.correlator.standings(look.board.at)
    keys = dict(Deploy.objects.filter(key__in=[one.deploy for one in found]).values_list("key", "pk"))
    rows = [
        DeployVerdict(deploy_id=keys[one.deploy], judged_to=moment(look.end_bin), **told(one, look.board))
        for one in found
        if one.deploy in keys
    ]
    DeployVerdict.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["deploy"], update_fields=list(SHOWN), batch_size=500
    )


def told(standing: Standing, board: Board) -> dict[str, Any]:
    """The row of one deploy: its numbers, and the board's words where it is weighed there."""
    settings = correlation_settings()
    suspect = next((s for s in board.suspects if s.deploy == standing.deploy), None)
    verdict = next((v for v in board.verdicts if v.key == ("deploy", standing.deploy)), None)
    word = word_of(standing, suspect, blamed=verdict is not None, settings=settings)
    weighed = suspect or verdict
    return {
        "word": word,
        "sentence": sentence_of(word, standing, suspect, settings),
        "score": round(weighed.score, 2) if weighed else 0.0,
        "rate_ratio": None if standing.rate_ratio is None else round(standing.rate_ratio, 3),
        "interval": [round(bound, 3) for bound in standing.interval],
        "host_minutes": round(standing.host_minutes, 1),
        "hosts": standing.hosts,
        "controls": standing.controls,
        "would_have_seen": standing.seen_from,
        "speaks_for": list(weighed.for_) if weighed else [],
        "speaks_against": list(weighed.against) if weighed else [],
    }


def _is_due(memory: Memory, look: Look) -> bool:
    last = memory.standings_bin
    return bool(last is None or look.board.pages or look.end_bin - last >= EVERY_BINS or look.end_bin < last)
