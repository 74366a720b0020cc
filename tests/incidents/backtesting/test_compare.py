"""What would have been beside what was, and the difference in words."""

from incidents.backtesting.compare import MOST_ROWS, Paged, as_json, rows, span, summary


def page(subject: str, minute: float, *, verdict: str = "deploy", incident: int | None = None) -> Paged:
    return Paged(minute * 60, verdict, subject, f"Redeploy {subject}", incident=incident)


def told(would: list[Paged], was: list[Paged]) -> list[str]:
    return summary(rows(would, was, bin_seconds=60))


def test_nothing_and_the_same_are_no_difference() -> None:
    assert told([], []) == ["no difference"]
    assert told([page("d3", 10)], [page("d3", 11)]) == ["no difference"]


def test_later_and_earlier_are_said_in_whole_minutes() -> None:
    assert told([page("d3", 14)], [page("d3", 10)]) == ["Redeploy d3 4 minutes later"]
    assert told([page("d3", 10)], [page("d3", 130)]) == ["Redeploy d3 2 hours earlier"]


def test_more_and_fewer_are_counted() -> None:
    would = [page("d3", 14), page("d9", 20)]
    was = [page("d3", 10), page("d1", 1), page("h1", 2, verdict="host")]
    assert told(would, was) == ["2 pages fewer", "1 page more", "Redeploy d3 4 minutes later"]


def test_a_deploy_and_a_host_of_the_same_name_are_not_the_same() -> None:
    assert told([page("x", 1)], [page("x", 1, verdict="host")]) == ["1 page fewer", "1 page more"]


def test_the_second_page_of_a_cause_stands_beside_the_second() -> None:
    compared = rows([page("d3", 500), page("d3", 10)], [page("d3", 10, incident=4)], bin_seconds=60)
    assert [(row.would is not None, row.was is not None) for row in compared] == [(True, True), (True, False)]
    assert compared[1].difference == "would have been paged, and was not"
    assert [row.at for row in compared] == [600, 30_000]


def test_a_notice_is_no_page() -> None:
    compared = rows([page("app-1", 1, verdict="app")], [], bin_seconds=60)
    assert summary(compared) == ["1 notice to owners of apps more or fewer"]
    kept = as_json(compared)
    assert (kept["would"], kept["was"], kept["rows"][0]["notice"]) == (0, 0, True)


def test_a_flood_is_cut_and_said() -> None:
    kept = as_json(rows([page(f"d{n}", n) for n in range(MOST_ROWS + 7)], [], bin_seconds=60))
    assert (len(kept["rows"]), kept["left_out"], kept["would"]) == (MOST_ROWS, 7, MOST_ROWS + 7)
    assert len(told([page(f"d{n}", n + 9) for n in range(8)], [page(f"d{n}", n) for n in range(8)])) == 6


def test_spans_are_said_as_people_do() -> None:
    assert [span(n) for n in (1, 40, 240, 7200)] == ["1 second", "40 seconds", "4 minutes", "2 hours"]
