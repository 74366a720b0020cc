"""What is accepted as a runbook, and what is said of the rest."""

from typing import Any

import pytest

from incidents.runbooks.catalogue import all_runbooks
from incidents.runbooks.plan import ACTIONS, InvalidRunbook, read_runbook
from incidents.runbooks.transitions import next_position

STEP: dict[str, Any] = {"key": "look", "kind": "instruct", "title": "Look"}


def book(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"slug": "s", "title": "T", "summary": "S", "verdicts": ["deploy"], "steps": list(steps)} | changes


def test_shipped_runbooks_are_valid_and_cover_the_story() -> None:
    steps = all_runbooks()["overwritten-image"].steps
    assert [step.key for step in steps] == [
        "close-gate", "verify", "decide", "taint", "migrate", "recovered", "protect", "retest", "open-gate",
    ]  # fmt: skip
    assert {step.options["action"] for step in steps if step.kind == "act"} == set(ACTIONS)


def test_options_are_what_is_left() -> None:
    step = read_runbook(book({**STEP, "kind": "gate", "set": "open"})).steps[0]
    assert (step.key, step.options) == ("look", {"set": "open"})


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "mapping"),
        (book(), "list of steps"),
        (book(STEP, title=" "), "needs a title"),
        (book("look"), "Step 1 is not a mapping"),  # type: ignore[arg-type]
        (book(STEP, STEP), "More than one step has the key look"),
        (book({**STEP, "kind": "guess"}), "kind is 'guess'"),
        (book({**STEP, "kind": "act", "action": "reboot", "targets": "affected"}), "action is 'reboot'"),
        (book({**STEP, "kind": "act", "action": "taint", "targets": "all"}), "targets is 'all'"),
        (book({**STEP, "kind": "gate", "set": "ajar"}), "set is 'ajar'"),
        (book({**STEP, "kind": "decide"}), "needs choices"),
        (book({**STEP, "kind": "wait", "condition": "recovered"}), "nothing waits for ever"),
    ],
)
def test_what_is_wrong_is_named(data: Any, complaint: str) -> None:
    with pytest.raises(InvalidRunbook, match=complaint):
        read_runbook(data)


@pytest.mark.parametrize(
    ("states", "place"),
    [
        (["waiting", "waiting"], 0),
        (["succeeded", "waiting"], 1),
        (["skipped", "failed", "waiting"], 1),
        (["unknown", "waiting"], 0),
        (["succeeded", "skipped"], None),
        ([], None),
    ],
)
def test_a_failed_or_unknown_step_holds_the_run(states: list[str], place: int | None) -> None:
    assert next_position(states) == place
