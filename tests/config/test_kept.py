"""What a folder of embedded parts remembers, and who may read it."""

import json
from pathlib import Path

import pytest

from config.embedded import StartError
from config.embedded import address as address_command
from config.embedded.address import address_of
from config.embedded.kept import Kept
from config.embedded.program import Program


def folder_with(tmp_path: Path, text: str | None) -> Path:
    (tmp_path / "embedded").mkdir()
    if text is not None:
        (tmp_path / "embedded" / "embedded.json").write_text(text)
    return tmp_path


def test_ports_and_passwords_are_remembered_and_a_moved_part_keeps_its_password(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "embedded")
    first = kept.place("postgres")
    assert kept.place("postgres") == first
    assert kept.place("valkey").password != first.password
    moved = kept.move("postgres")
    assert (moved.port != first.port, moved.password) == (True, first.password)
    kept.let_go()
    again = Kept(tmp_path / "embedded")
    assert again.place("postgres") == moved
    again.let_go()
    assert (tmp_path / "embedded" / "embedded.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "embedded").stat().st_mode & 0o777 == 0o700


def test_a_folder_in_use_names_who_uses_it_and_is_free_afterwards(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    with pytest.raises(StartError, match=r"already runs from .*FAULTLINE_VAR=/some/where"):
        Kept(tmp_path)
    kept.let_go()
    Kept(tmp_path).let_go()


def test_the_address_is_that_of_the_database_kept_there(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "embedded")
    place = kept.place("postgres")
    url = address_of(tmp_path)
    assert url is not None
    assert f":{place.password}@127.0.0.1:{place.port}/" in url
    kept.let_go()


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "7", "{}", '{"valkey": {"port": 1, "password": "x"}}', '{"postgres": {"port": 1}}']
)
def test_a_folder_without_a_whole_record_has_no_database(tmp_path: Path, text: str | None) -> None:
    assert address_of(folder_with(tmp_path, text)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"postgres": 7}', '{"postgres": {"port": 1}}'])
def test_a_damaged_record_is_said_to_be_and_not_written_over(tmp_path: Path, text: str) -> None:
    place = folder_with(tmp_path, text) / "embedded"
    for _ in range(2):
        with pytest.raises(StartError, match=r"embedded.json is damaged.*move .* away"):
            Kept(place)
    assert (place / "embedded.json").read_text() == text


def test_the_command_says_what_to_do_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("sys.argv", ["address", str(tmp_path)])
    assert address_command.main() == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"There is no database under {tmp_path}; start one with `make run`" in printed.err
    place = {"postgres": {"port": 5433, "password": "secret"}}
    (folder_with(tmp_path, json.dumps(place)))
    assert address_command.main() == 0
    assert ":secret@127.0.0.1:5433/" in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/db")
    assert address_command.main() == 0
    assert capsys.readouterr().out == "postgres://elsewhere/db\n"


def test_the_last_words_of_a_program_are_the_end_of_its_log_whatever_is_in_it(tmp_path: Path) -> None:
    program = Program(name="x", argv=[], log=tmp_path / "x.log")
    assert program.last_words() == ""
    assert program.ready()
    program.log.write_bytes(b"".join(b"line %d\n" % number for number in range(20)) + b"\xff\xfe end")
    assert program.last_words(lines=2) == "line 19\n\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} end"
    assert len(program.last_words().splitlines()) == 8
