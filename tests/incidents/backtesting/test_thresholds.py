"""Thresholds by name: clear words for what is none, and no value that the correlation cannot bear."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from incidents.backtesting.thresholds import (
    THRESHOLDS,
    BadThresholdError,
    changed,
    differing,
    from_pairs,
    limits,
    names,
    read,
)
from incidents.correlation.replay import run
from incidents.correlation.settings import Settings

HOSTS = "\n".join(
    f'{{"type":"host","host":"h{n}","attributes":{{"zone":"{n % 2}"}}}}\n{{"type":"dyno","host":"h{n}","app":"a{n % 7}"}}'  # noqa: E501
    for n in range(20)
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deploy that breaks half of twenty hosts, after an hour and a half of quiet."""
    lines = [HOSTS, '{"type":"deploy","deploy":"d1","at":"2026-01-05T01:30:00Z","target":"kernel","kind":"upgrade"}']
    lines += [
        f'{{"type":"host_deploy","deploy":"d1","host":"h{n}","at":"2026-01-05T01:3{n}:00Z","outcome":"installed"}}'
        for n in range(10)
    ]
    for minute in range(0, 120, 5):
        host, app = minute % 20, minute % 7
        stamp = f"2026-01-05T{minute // 60:02}:{minute % 60:02}:10Z"
        lines.append(f'{{"type":"crash","at":"{stamp}","host":"h{host}","app":"a{app}","exit_status":1}}')
    for minute in range(100, 118):
        for host in range(10):
            stamp = f"2026-01-05T{minute // 60:02}:{minute % 60:02}:{host * 5:02}Z"
            lines.append(
                f'{{"type":"crash","at":"{stamp}","host":"h{host}","app":"a{minute * host % 40}","signal":"SIGSEGV"}}'
            )
    path = tmp_path_factory.mktemp("recordings") / "kernel.ndjson"
    path.write_text("\n".join(lines))
    return path


def replayed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("replay", *arguments)
    return capsys.readouterr().out


def test_changed_thresholds_change_what_is_sent(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = replayed(capsys, str(recording), "--json")
    assert '"deploy":"d1"' in plain
    assert replayed(capsys, str(recording), "--json", "--set", "page_score=11") == plain
    assert replayed(capsys, str(recording), "--json", "--set", "page_score=900") == ""
    many = replayed(capsys, str(recording), "--set", "page_score=11", "--set", "least_hosts_hit=11")
    assert "page: deploy" not in many


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["F", "--set", "page_scor=12"], "no threshold 'page_scor'. Did you mean page_score?"),
        (["F", "--set", "moon=12"], "Known are: app_hosts, "),
        (["F", "--set", "page_score"], "not of the form name=value"),
        (["F", "--set", "page_score=high"], "page_score is a number from 1 to 1000; 'high' is not"),
        (["F", "--set", "page_score=nan"], "'nan' is not"),
        (["F", "--set", "least_hosts_hit=2.5"], "least_hosts_hit is a whole number from 1 to 100000; '2.5' is not"),
        (["F", "--set", "look_backs=3"], "no threshold 'look_backs'"),
        ([], "Name the files to replay"),
        (["F", "--stored"], "Either files or --stored"),
        (["F", "--since", "2026-01-05"], "go with --stored"),
    ],
)
def test_what_makes_no_sense_is_said(arguments: list[str], words: str, recording: Path) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("replay", *[str(recording) if word == "F" else word for word in arguments])
    assert words in str(refused.value)


def test_the_ones_for_people_are_real_and_within_their_own_limits() -> None:
    for one in THRESHOLDS:
        assert one.name in names()
        assert one.least <= one.of(Settings()) <= one.most
        assert read(one.name, str(one.of(Settings()))) == one.of(Settings())
        assert one.whole == isinstance(getattr(Settings(), one.name), int)


def test_only_what_differs_is_kept() -> None:
    changes = from_pairs(["page_score=12", "tie_score=3"])
    assert differing(Settings(), changes) == {"page_score": 12.0}
    assert changed(Settings(), changes).page_score == 12
    with pytest.raises(BadThresholdError):
        read("page_score", "")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in names() if name != "bin_seconds"])
def test_the_correlation_bears_the_least_of_every_threshold(name: str, recording: Path) -> None:
    settings = changed(Settings(), {name: read(name, repr(limits(name)[0]))})
    assert isinstance(list(run([recording], json_lines=True, settings=settings)), list)
