"""PURE. What a runbook is: its steps as they are written, read from plain data and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = ("instruct", "decide", "check", "act", "wait", "gate")
ACTIONS = ("verify", "taint", "migrate", "protect", "retest")
TARGETS = ("affected", "sample", "tainted", "stack")
NUMBERS = frozenset({"limit_seconds", "quiet_ticks", "suspects", "controls"})
CONDITIONS = ("recovered", "quiet", "replaced")
VERDICTS = ("deploy", "host", "app", "group", "fleet")


class InvalidRunbook(ValueError):  # noqa: N818 - says what it is
    """A runbook that cannot be followed as written; the message names the step and what is wrong with it."""


@dataclass(frozen=True)
class StepPlan:
    """One step as written. `options` hold what its kind needs: an action, targets, choices, a limit."""

    key: str
    kind: str
    title: str
    text: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Runbook:
    """A written procedure: `verdicts` are those it is offered for.

    `signs` are kinds and outcomes of the suspected deploy at which it is offered before the others of its verdict.
    """

    slug: str
    title: str
    summary: str
    verdicts: tuple[str, ...]
    steps: tuple[StepPlan, ...]
    signs: tuple[str, ...] = ()

    def frozen(self) -> dict[str, Any]:
        """As plain data, to be kept with a run."""
        return asdict(self)


def read_runbook(data: Any) -> Runbook:
    """The runbook that plain data (as YAML or JSON gives it) describes. Raises InvalidRunbook."""
    if not isinstance(data, Mapping):
        raise InvalidRunbook("A runbook is a mapping with slug, title, summary, verdicts and steps.")
    steps = data.get("steps")
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
        raise InvalidRunbook("A runbook needs a list of steps.")
    plans = tuple(_read_step(step, place) for place, step in enumerate(steps, start=1))
    doubled = {plan.key for plan in plans if sum(other.key == plan.key for other in plans) > 1}
    if doubled:
        raise InvalidRunbook(f"More than one step has the key {', '.join(sorted(doubled))}.")
    _check_skips(plans)
    verdicts = _texts(data, "verdicts", "The runbook")
    for verdict in verdicts:
        _one_of(verdict, VERDICTS, "The runbook's verdict")
    return Runbook(
        slug=_text(data, "slug", "The runbook"),
        title=_text(data, "title", "The runbook"),
        summary=_text(data, "summary", "The runbook"),
        verdicts=verdicts,
        steps=plans,
        signs=_texts(data, "signs", "The runbook"),
    )


def _read_step(step: Any, place: int) -> StepPlan:
    if not isinstance(step, Mapping):
        raise InvalidRunbook(f"Step {place} is not a mapping.")
    options = dict(step)
    key, kind, title = (_text(options, name, f"Step {place}") for name in ("key", "kind", "title"))
    plan = StepPlan(
        key, kind, title, str(options.get("text", "")).strip(), _without(options, "key", "kind", "title", "text")
    )
    _check_step(plan, place)
    return plan


def _check_step(plan: StepPlan, place: int) -> None:
    options, where = plan.options, f"Step {place} ({plan.key})"
    _one_of(plan.kind, KINDS, f"{where}: kind")
    if plan.kind == "act":
        _one_of(options.get("action"), ACTIONS, f"{where}: action")
        _one_of(options.get("targets"), TARGETS, f"{where}: targets")
    if plan.kind == "gate":
        _one_of(options.get("set"), ("closed", "open"), f"{where}: set")
    if plan.kind == "decide":
        _check_choices(options.get("choices"), where)
    if plan.kind in ("check", "wait"):
        _one_of(options.get("condition"), CONDITIONS, f"{where}: condition")
    for name in NUMBERS & options.keys():
        if not _is_number(options[name]) or options[name] < 1:
            raise InvalidRunbook(f"{where}: {name} is {options[name]!r}; it is a number, at least 1.")
    if plan.kind == "wait" and "limit_seconds" not in options:
        raise InvalidRunbook(f"{where} needs limit_seconds: nothing waits for ever.")


def _check_choices(choices: Any, where: str) -> None:
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, Mapping) for choice in choices):
        raise InvalidRunbook(f"{where} needs choices, each with a key and a label.")
    keys = [_text(choice, "key", f"{where}: a choice") for choice in choices]
    for choice in choices:
        _text(choice, "label", f"{where}: a choice")
    if len(set(keys)) < len(keys):
        raise InvalidRunbook(f"{where}: two choices have the same key.")


def _check_skips(plans: Sequence[StepPlan]) -> None:
    """A choice may make needless only what is still to come."""
    for place, plan in enumerate(plans):
        later = {other.key for other in plans[place + 1 :]}
        for choice in plan.options.get("choices", ()):
            if wrong := set(_texts(choice, "skips", f"Step {place + 1} ({plan.key})")) - later:
                raise InvalidRunbook(
                    f"Step {place + 1} ({plan.key}) skips {', '.join(wrong)}, which do not come later."
                )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> None:
    if value not in allowed:
        raise InvalidRunbook(f"{where} is {value!r}; it may be {', '.join(allowed)}.")


def _text(data: Mapping[str, Any], name: str, where: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRunbook(f"{where} needs a {name}.")
    return value.strip()


def _texts(data: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A list of words, none where there is none."""
    values = data.get(name) or []
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise InvalidRunbook(f"{where}: {name} is a list of words.")
    return tuple(values)


def _without(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}
