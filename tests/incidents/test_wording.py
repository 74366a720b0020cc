import math
from dataclasses import replace

import pytest

from incidents.wording import (
    DEPLOY_WORDS,
    MOST_NAMES,
    Cause,
    cohort_words,
    deploy_name,
    figure,
    headline,
    hosts_changed,
    outcomes_words,
    some_names,
    times,
)

CAUSE = Cause(
    "deploy", "d3", "redeploy", "stack", "cedar-14", {"tools": "1.9"}, such=41, hit=34, rate_ratio=9.1,
    interval=(5.2, 15.8),
)  # fmt: skip


def test_headline_of_a_deploy_says_cohort_and_numbers() -> None:
    assert headline(CAUSE) == (
        "Redeploy d3 of cedar-14 probably damages hosts with tools 1.9: "
        "34 of 41 such hosts, 9.1 times [5.2, 15.8] the crashes of the others"
    )


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (replace(CAUSE, cohort={}), "Redeploy d3 of cedar-14 probably damages the hosts it touched: 34 of 41 "),
        (replace(CAUSE, target="kernel", deploy_kind="upgrade"), "Kernel upgrade d3 probably damages hosts with "),
        (replace(CAUSE, tied_with="d1"), "Redeploy d3 of cedar-14 may damage hosts with tools 1.9: "),
        (replace(CAUSE, verdict="group", subject="zone=b", cohort={"zone": "b"}), "Hosts with zone b crash: 34 of 41 "),
        (
            replace(CAUSE, verdict="host", subject="h7"),
            "Host h7 has 9.1 times [5.2, 15.8] its usual crashes; no deploy",
        ),
        (replace(CAUSE, verdict="app", subject="app-7"), "App app-7 crashes on 34 hosts; neither a host nor a deploy"),
        (replace(CAUSE, verdict="fleet"), "The whole fleet has 9.1 times [5.2, 15.8] its usual crashes; no deploy"),
    ],
)
def test_headline_of_each_verdict(cause: Cause, sentence: str) -> None:
    assert headline(cause).startswith(sentence)


def test_a_ratio_without_upper_bound_says_the_lower_one() -> None:
    assert times(2000.0, (34.4, 2000.0)) == "at least 34.4 times"
    assert times(120.4, (80.0, 300.2)) == "120 times [80.0, 300]"
    assert times(3.0, (0.0, 0.0)) == "3.0 times"


def test_changes_of_hosts() -> None:
    assert (
        hosts_changed(["h1", "h2"], ["h9"], 5)
        == "2 hosts added: h1, h2; 1 host no longer named: h9. 5 hosts named now."
    )
    assert some_names([f"h{n}" for n in range(14)]).endswith("h11 and 2 more")


def test_outcomes() -> None:
    assert outcomes_words("d3", {"overwrote": 1, "skipped": 6}) == "d3 overwrote the image on 1 host, skipped 6 hosts"
    assert outcomes_words("d3", {}) == "d3 touched no host"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("deploy", "1 of 1 such host, "), ("group", "1 of 1 host, "), ("app", "crashes on 1 host; ")],
)
def test_headline_about_a_single_host(verdict: str, words: str) -> None:
    assert words in headline(replace(CAUSE, verdict=verdict, such=1, hit=1))


@pytest.mark.parametrize("verdict", ["deploy", "group", "host", "app", "fleet"])
@pytest.mark.parametrize("ratio", [1.0, 2000.0, math.inf, math.nan])
@pytest.mark.parametrize("bound", [0.0, 1000.0, math.inf, math.nan])
def test_no_headline_shows_what_is_no_number(verdict: str, ratio: float, bound: float) -> None:
    for interval in ((0.0, bound), (bound, bound)):
        sentence = headline(replace(CAUSE, verdict=verdict, rate_ratio=ratio, interval=interval))
        assert not {"inf", "nan", "None"} & set(sentence.replace(",", " ").replace("]", " ").replace("[", " ").split())


def test_a_group_without_a_cohort_is_named_by_its_subject() -> None:
    sentence = headline(replace(CAUSE, verdict="group", subject="zone=b", cohort={}))
    assert sentence.startswith("Hosts with zone=b crash: ")


def test_a_verdict_that_nobody_knows_is_no_headline() -> None:
    with pytest.raises(KeyError):
        headline(replace(CAUSE, verdict="weather"))


@pytest.mark.parametrize(("kind", "word"), DEPLOY_WORDS.items())
def test_every_kind_of_deploy_has_a_word(kind: str, word: str) -> None:
    assert deploy_name(replace(CAUSE, deploy_kind=kind)) == f"{word.capitalize()} d3 of cedar-14"
    assert deploy_name(replace(CAUSE, deploy_kind=kind, target="agent")) == f"Agent {word} d3"


def test_a_deploy_of_an_unknown_kind_or_stack_is_named_all_the_same() -> None:
    assert deploy_name(replace(CAUSE, deploy_kind="", stack="", target="")) == "Deploy d3"
    assert deploy_name(replace(CAUSE, deploy_kind="", target="config")) == "Config deploy d3"


def test_a_cohort_reads_the_same_whatever_its_order() -> None:
    assert cohort_words({"zone": "b", "tools": "1.9"}) == cohort_words({"tools": "1.9", "zone": "b"})
    assert cohort_words({"zone": "b", "tools": "1.9"}) == "tools 1.9 and zone b"
    assert cohort_words({}) == ""


@pytest.mark.parametrize(
    ("ratio", "interval", "words"),
    [(math.inf, (0.0, 0.0), "many times"), (9.0, (math.nan, 12.0), "many times"),
     (1.0, (2.0, math.inf), "at least 2.0 times"),
     (5.0, (2.0, 1000.0), "at least 2.0 times"), (5.0, (2.0, 999.9), "5.0 times [2.0, 1000]")],
)  # fmt: skip
def test_times_at_the_limits(ratio: float, interval: tuple[float, float], words: str) -> None:
    assert times(ratio, interval) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0.0"), (0.04, "0.0"), (9.96, "10.0"), (100, "100"), (1234.5, "1234")]
)
def test_figures(value: float, words: str) -> None:
    assert figure(value) == words


@pytest.mark.parametrize("number", [0, 1, MOST_NAMES, MOST_NAMES + 1, 500])
def test_names_and_how_many_are_left_out_make_up_all(number: int) -> None:
    words = some_names([f"h{n}" for n in range(number)])
    shown, _, more = words.partition(" and ")
    left = int(more.removesuffix(" more")) if more else 0
    assert len([name for name in shown.split(", ") if name]) + left == number


@pytest.mark.parametrize(
    ("added", "removed", "named", "words"),
    [(["h1"], [], 1, "1 host named: h1."), (["h1", "h2"], [], 2, "2 hosts named: h1, h2."),
     (["h3"], [], 3, "1 host added: h3. 3 hosts named now."),
     ([], ["h1"], 1, "1 host no longer named: h1. 1 host named now."),
     ([], ["h1", "h2"], 0, "2 hosts no longer named: h1, h2. 0 hosts named now.")],
)  # fmt: skip
def test_every_change_of_hosts(added: list[str], removed: list[str], named: int, words: str) -> None:
    assert hosts_changed(added, removed, named) == words


def test_outcomes_are_told_worst_first_and_none_that_did_not_happen() -> None:
    told = outcomes_words("d3", {"failed": 2, "installed": 1, "overwrote": 3, "skipped": 0, "vanished": 9})
    assert told == "d3 overwrote the image on 3 hosts, installed on 1 host, failed on 2 hosts"
