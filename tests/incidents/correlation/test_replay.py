"""The replay by its contract."""

import gzip
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from incidents.correlation.replay import BadRecordError, main, parse, read_files, run
from incidents.correlation.simulation.recording import record, tell


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "bad.ndjson"
    path.write_text("\n".join(record(tell("bad_everywhere", seed=5, hosts=50, minutes=300))))
    return path


@pytest.fixture(scope="module")
def lines(recording: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in run([recording], json_lines=True)]


def test_pages_come_before_updates_and_carry_what_was_agreed(lines: list[dict[str, object]]) -> None:
    deploys = [line for line in lines if line["verdict"] == "deploy"]
    keys = {"at", "verdict", "deploy", "cohort", "hosts", "score", "rate_ratio", "interval", "suspects", "against"}
    assert keys <= deploys[0].keys()
    assert deploys[0]["deploy"] == tell("bad_everywhere", seed=5, hosts=50, minutes=300).truth.subject
    updates = [bool(line.get("update")) for line in lines]
    assert updates == sorted(updates)
    assert sum(updates) > 0
    assert len([line for line in deploys if not line.get("update")]) == 1


def test_gzip_is_the_same(recording: Path, lines: list[dict[str, object]], tmp_path: Path) -> None:
    packed = tmp_path / "bad.ndjson.gz"
    packed.write_bytes(gzip.compress(recording.read_bytes()))
    assert [json.loads(line) for line in run([packed], json_lines=True)] == lines


def test_a_cut_off_recording_says_the_same_until_its_end(
    recording: Path, lines: list[dict[str, object]], tmp_path: Path
) -> None:
    """Only what was known by then is used."""
    whole = recording.read_text().splitlines()
    page_at = str(next(line["at"] for line in lines if line["verdict"] == "deploy"))
    known = [
        line for line in whole if str(json.loads(line).get("received_at") or json.loads(line).get("at") or "") < page_at
    ]
    cut = tmp_path / "cut.ndjson"
    cut.write_text("\n".join(known))
    again = [json.loads(line) for line in run([cut], json_lines=True)]
    assert [line for line in again if line["at"] < page_at] == [line for line in lines if str(line["at"]) < page_at]


def test_an_unknown_type_is_an_error_that_names_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.ndjson"
    path.write_text('{"type":"host","host":"h1","attributes":{},"colour":"red"}\n\n{"type":"comet"}\n')
    with pytest.raises(CommandError, match=r"odd\.ndjson:3: unknown type 'comet'"):
        call_command("replay", str(path))
    assert main([str(path)]) == 1
    assert "odd.ndjson:3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object"),
        ('{"type":"crash","at":"2026-01-05T00:00:00Z","app":"a"}', "crash without 'host'"),
        ('{"type":"crash","at":"noon","host":"h","app":"a"}', "not a time"),
        (
            '{"type":"host_deploy","deploy":"d","host":"h","at":"2026-01-05T00:00:00Z","outcome":"lost"}',
            "outcome 'lost'",
        ),
    ],
)
def test_bad_lines_are_told_by_their_place(line: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_text('{"type":"host","host":"h"}\n' + line + "\n")
    with pytest.raises(BadRecordError, match=rf"bad\.ndjson:2.*{words}"):
        list(run([path], json_lines=True))


def test_a_broken_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"type":"host","host":"h"}\n' * 1000)[:-12])
    with pytest.raises(BadRecordError, match="broken"):
        list(read_files([path]))


def test_unknown_keys_are_ignored() -> None:
    assert parse("f:1", '{"type":"host","host":"h","moon":1}')["host"] == "h"


def test_a_file_with_nothing_to_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.ndjson"
    path.write_text("")
    assert main([str(path)]) == 0
    assert "Nothing would have been sent" in capsys.readouterr().out
    assert main([str(path), "--json"]) == 0
    assert not capsys.readouterr().out


def test_people_read_it_too(recording: Path) -> None:
    text = "\n".join(run([recording], json_lines=False))
    assert "page: deploy" in text
    assert "rate ratio" in text
