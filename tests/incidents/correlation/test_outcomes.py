"""What a deploy tool's own outcomes tell of the cohort."""

import pytest

from incidents.correlation.fleet import Fleet
from incidents.correlation.outcomes import told_cohort

OLD = {"tools": "1.9", "zone": "a", "provisioned": "2015"}
NEW = {"tools": "2.0", "zone": "a", "provisioned": "2016"}
FRESH = {"tools": "2.0", "zone": "b", "provisioned": "fresh"}


def cohort_of(*told: tuple[dict[str, str], str]) -> dict[str, str]:
    fleet = Fleet()
    for number, (attributes, _) in enumerate(told):
        fleet.set_host(f"h{number}", attributes)
    fleet.set_host("untouched", FRESH)
    return told_cohort({number: outcome for number, (_, outcome) in enumerate(told)}, fleet)


def test_the_attribute_with_the_fewest_values_tells_them_apart() -> None:
    assert cohort_of(*[(OLD, "overwrote")] * 2, *[(NEW, "skipped")] * 2) == {"tools": "1.9"}


def test_overwriting_is_damage_by_itself_and_counts_alone() -> None:
    assert cohort_of(*[(OLD, "overwrote")] * 2, *[(NEW, "installed")] * 2) == {"tools": "1.9"}


@pytest.mark.parametrize(
    "told",
    [
        [(OLD, "overwrote"), (OLD, "overwrote"), (NEW, "skipped"), (OLD, "skipped")],
        [(OLD, "overwrote"), (NEW, "skipped"), (NEW, "skipped")],
        [(OLD, "installed"), (NEW, "installed"), (FRESH, "skipped"), (NEW, "skipped")],
        [(OLD, "installed")] * 4,
        [],
    ],
    ids=["a skipped host is alike", "too few", "the damaged share nothing of their own", "none was spared", "nothing"],
)
def test_nothing_is_told_where(told: list[tuple[dict[str, str], str]]) -> None:
    assert cohort_of(*told) == {}
