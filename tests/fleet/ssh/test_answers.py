from typing import Any

import pytest

from fleet.ssh.answers import Request, judge, parse_line
from fleet.ssh.errors import CallError, Rejected, Unknown

START = Request("start", "o1", 7, {})
GOOD = {"ok": True, "operation": "o1", "replayed": True, "result": {"a": 1}}
REFUSED = {"ok": False, "operation": "o1", "error": "tainted", "message": "no", "retry": False}


def outcome(answer: dict[str, Any]) -> type[CallError]:
    with pytest.raises(CallError) as caught:
        judge(START, answer, host="h1", seconds=0.1)
    return type(caught.value)


def test_a_yes() -> None:
    answer = judge(START, GOOD, host="h1", seconds=0.1)
    assert (answer.result, answer.replayed) == ({"a": 1}, True)


def test_a_no() -> None:
    assert outcome(REFUSED) is Rejected


@pytest.mark.parametrize(
    "lie",
    [
        {},
        dict(GOOD, ok="yes"),
        dict(GOOD, ok=1),
        dict(GOOD, operation="o2"),
        dict(GOOD, operation=None),
        dict(GOOD, result=[1]),
        {"ok": True, "operation": "o1"},
        dict(REFUSED, error=None),
        dict(REFUSED, error=""),
        dict(REFUSED, message={}),
        dict(REFUSED, operation="o2"),
        dict(REFUSED, error="still_running", retry=True),
    ],
)
def test_neither_is_unknown(lie: dict[str, Any]) -> None:
    assert outcome(lie) is Unknown


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b'{"a": "x\\u0000y"}', {"a": "x\N{REPLACEMENT CHARACTER}y"}),
        (b'{"a\\ud800": ["\\udfff", {"b": "\\ud83d\\ude00"}]}',
         {"a\N{REPLACEMENT CHARACTER}": ["\N{REPLACEMENT CHARACTER}", {"b": "\N{GRINNING FACE}"}]}),
        (b'{"a": "C:\\\\u0000"}', {"a": "C:\\u0000"}),
        (b'{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5, "e": 10, "f": true}',
         {"a": None, "b": None, "c": None, "d": 1.5, "e": 10, "f": True}),
        ('{"a": "\N{SNOWMAN}"}'.encode(), {"a": "\N{SNOWMAN}"}),
        ("{}".encode("utf-16"), None),
        (b'{"a": "\xed\xa0\x80"}', None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
    ],
)  # fmt: skip
def test_what_no_database_keeps_is_replaced(line: bytes, read: dict[str, Any] | None) -> None:
    assert parse_line(line) == read


@pytest.mark.parametrize("line", [b"", b"nonsense", b"[1]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a":'])
def test_lines_that_are_no_object(line: bytes) -> None:
    assert parse_line(line) is None
