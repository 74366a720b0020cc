from dataclasses import replace

import pytest

from incidents.wording import Cause, headline, hosts_changed, outcomes_words, some_names, times

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
