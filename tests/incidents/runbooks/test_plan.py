"""What is accepted as a runbook, and what is said of the rest."""

from typing import Any

import pytest

from fleet.models import Deploy, Host, HostDeploy, Stack
from incidents.models import Incident
from incidents.runbooks import plan
from incidents.runbooks.actions import ACTIONS as REGISTERED_ACTIONS
from incidents.runbooks.catalogue import all_runbooks, offered_runbooks
from incidents.runbooks.plan import ACTIONS, VERDICTS, InvalidRunbook, read_runbook
from incidents.runbooks.steps import KINDS
from incidents.runbooks.steps.conditions import CONDITIONS
from incidents.runbooks.targets import SELECTORS
from incidents.runbooks.transitions import next_position
from tests.incidents.runbooks.running import NOW

YES: dict[str, Any] = {"key": "y", "label": "Yes"}
STEP: dict[str, Any] = {"key": "look", "kind": "instruct", "title": "Look"}


def book(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"slug": "s", "title": "T", "summary": "S", "verdicts": ["deploy"], "steps": list(steps)} | changes


def test_shipped_runbooks_are_valid_and_cover_the_story() -> None:
    steps = all_runbooks()["overwritten-image"].steps
    assert [step.key for step in steps] == [
        "close-gate", "verify", "decide", "taint", "migrate", "recovered", "protect", "retest", "open-gate",
    ]  # fmt: skip
    assert {step.options["action"] for step in steps if step.kind == "act"} == set(ACTIONS)


def test_every_verdict_has_a_runbook_and_every_runbook_takes_its_gate_and_taints_back() -> None:
    books = all_runbooks()
    assert list(books) == [
        "app-crash-loop", "bad-stack-deploy", "dependency-outage", "one-sick-host", "overwritten-image",
    ]  # fmt: skip
    assert {verdict for book in books.values() for verdict in book.verdicts} == set(VERDICTS)
    for book in books.values():
        gates = [step.options["set"] for step in book.steps if step.kind == "gate"]
        assert gates in ([], ["closed", "open"])
        actions = [step.options["action"] for step in book.steps if step.kind == "act"]
        assert ("migrate" in actions) <= ("taint" in actions[: actions.index("migrate")] if actions else True)
        measured = [step for step in book.steps if step.kind in ("check", "wait")]
        assert measured, f"{book.slug} ends by a green tick"


def test_words_of_the_pure_plan_are_those_of_the_registries() -> None:
    assert set(plan.KINDS) == set(KINDS)
    assert set(plan.ACTIONS) == set(REGISTERED_ACTIONS)
    assert set(plan.TARGETS) == set(SELECTORS)
    assert set(plan.CONDITIONS) == set(CONDITIONS)
    assert set(VERDICTS) == set(Incident.Verdict.values)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "outcome", "first"),
    [
        ("redeploy", "overwrote", "overwritten-image"),
        ("redeploy", "installed", "overwritten-image"),
        ("upgrade", "overwrote", "overwritten-image"),
        ("upgrade", "installed", "bad-stack-deploy"),
        ("provision", None, "bad-stack-deploy"),
    ],
)
def test_what_the_deploy_did_says_which_runbook_comes_first(kind: str, outcome: str | None, first: str) -> None:
    stack = Stack.objects.create(name="cedar-14")
    deploy = Deploy.objects.create(key="d3", target="stack", kind=kind, stack=stack, started_at=NOW)
    if outcome:
        host = Host.objects.create(name="h1", added_at=NOW)
        HostDeploy.objects.create(deploy=deploy, host=host, at=NOW, outcome=outcome)
    offered = offered_runbooks(Incident(verdict="deploy", deploy=deploy))
    assert offered[0].slug == first
    assert len(offered) == 2


@pytest.mark.parametrize(
    ("verdict", "slug"),
    [
        ("host", "one-sick-host"),
        ("app", "app-crash-loop"),
        ("group", "dependency-outage"),
        ("fleet", "dependency-outage"),
    ],
)
def test_other_verdicts_have_one_each(verdict: str, slug: str) -> None:
    assert [book.slug for book in offered_runbooks(Incident(verdict=verdict))] == [slug]


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
        (book({**STEP, "kind": "wait", "condition": "calm", "limit_seconds": 9}), "condition is 'calm'"),
        (book({**STEP, "kind": "check"}), "condition is None"),
        (book({**STEP, "kind": "wait", "condition": "quiet", "limit_seconds": "9"}), "limit_seconds is '9'"),
        (book({**STEP, "kind": "check", "condition": "quiet", "quiet_ticks": 0}), "quiet_ticks is 0"),
        (book({**STEP, "kind": "check", "condition": "quiet", "quiet_ticks": True}), "quiet_ticks is True"),
        (book({**STEP, "kind": "decide", "choices": ["yes"]}), "needs choices"),
        (book({**STEP, "kind": "decide", "choices": [{"key": True, "label": "Yes"}]}), "a choice needs a key"),
        (book({**STEP, "kind": "decide", "choices": [{"key": "y"}]}), "a choice needs a label"),
        (book({**STEP, "kind": "decide", "choices": [YES, YES]}), "two choices have the same key"),
        (book({**STEP, "kind": "decide", "choices": [YES | {"skips": ["look"]}]}), "skips look, which do not come"),
        (book({**STEP, "kind": "decide", "choices": [YES | {"skips": "look"}]}), "skips is a list of words"),
        (book(STEP, verdicts=["deploy", "ghost"]), "verdict is 'ghost'"),
        (book(STEP, verdicts="deploy"), "verdicts is a list of words"),
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
