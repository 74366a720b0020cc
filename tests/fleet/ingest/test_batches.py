"""Bodies of many records, whatever comes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.ingest import batches
from fleet.ingest.batches import CUT_OFF, BatchReader, TooManyRecords
from fleet.ingest.records import CrashRecord

READER = BatchReader(CrashRecord)
GOOD = b'{"at":"2026-01-05T00:00:01Z","host":"h1","signal":"SIGSEGV","exit_status":139}'
BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.one_of(
            st.just(GOOD), st.binary(max_size=40), st.sampled_from([b"{}", b"null", b"[" * 3000, b'{"at":1}', b"\xff"])
        ),
        max_size=8,
    ).map(b"\n".join),
    st.lists(st.sampled_from([GOOD, b"{}", b"1", b'"\\ud800"', b"\xff", b"[", b"]", b"{"]), max_size=6).map(
        lambda parts: b"[" + b",".join(parts) + b"]"
    ),
)


def test_lines_are_counted_with_the_blank_ones() -> None:
    batch = READER.read(b"\n" + GOOD + b"\n\n" + b"nonsense\n" + GOOD + b"\n")
    assert list(batch.lines) == [2, 5]
    assert [rejection.line for rejection in batch.rejected] == [4]


def test_an_array_counts_its_elements_and_a_bad_one_spoils_nothing() -> None:
    batch = READER.read(b"[" + GOOD + b', {"host":5} ,' + GOOD + b"]")
    assert list(batch.lines) == [1, 3]
    assert [rejection.line for rejection in batch.rejected] == [2]
    assert "host" in batch.rejected[0].error or "at" in batch.rejected[0].error


@pytest.mark.parametrize("cut", [1, 20, len(GOOD) - 1])
def test_a_body_cut_off_in_a_line_keeps_the_whole_ones(cut: Any) -> None:
    batch = READER.read(GOOD + b"\n" + GOOD[:cut])
    assert list(batch.lines) == [1]
    assert [(rejection.line, rejection.error) for rejection in batch.rejected] == [(2, CUT_OFF)]


@pytest.mark.parametrize("cut", range(1, 2 * len(GOOD) + 3))
def test_an_array_cut_off_anywhere_keeps_the_whole_elements(cut: Any) -> None:
    batch = READER.read((b"[" + GOOD + b"," + GOOD + b"]")[:cut])
    assert len(batch.records) == (cut >= 1 + len(GOOD)) + (cut >= 2 * len(GOOD) + 2)
    assert len(batch.rejected) == 1
    assert batch.rejected[0].line == len(batch.records) + 1


def test_a_stream_known_to_be_cut_off_is_told_even_at_the_end_of_a_line() -> None:
    batch = READER.read(GOOD + b"\n", cut_off=True)
    assert list(batch.lines) == [1]
    assert [(rejection.line, rejection.error) for rejection in batch.rejected] == [(2, CUT_OFF)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"at":"2026-01-05T00:00:01Z","host":"h\\u00001"}',
        b'{"at":"2026-01-05T00:00:01Z","host":"h\\ud8001"}',
        b'{"at":"2026-01-05T00:00:01Z","host":"h\xff1"}',
        b'{"at":"2026-01-05T00:00:01Z","host":"h\x001"}',
        b'{"at":"2026-01-05T00:00:01","host":"no offset"}',
        b'{"at":"2026-13-05T00:00:01Z","host":"h1"}',
        b'{"at":1767571201,"host":"h1"}',
        b'{"at":"2026-01-05T00:00:01Z","host":""}',
        b'{"at":"2026-01-05T00:00:01Z"}',
        b'{"at":"2026-01-05T00:00:01Z","host":"h1","exit_status":99999999999}',
        b'{"at":"2026-01-05T00:00:01Z","host":"h1","type":"host"}',
        b'{"at":"2026-01-05T00:00:01Z","host":"' + b"x" * 254 + b'"}',
        b'{"at":"2026-01-05T00:00:01Z","host":"h1","program":"' + b"x" * 100_000 + b'"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_a_line_that_cannot_be_kept_is_told_by_its_number(line: Any) -> None:
    batch = READER.read(b"\n".join([GOOD, line, GOOD]))
    assert list(batch.lines) == [1, 3]
    assert [rejection.line for rejection in batch.rejected] == [2]
    assert batch.rejected[0].error


def test_unknown_keys_are_ignored_and_texts_without_escapes_are_known_to_be_plain() -> None:
    assert READER.read(GOOD).plain
    more = GOOD.replace(b"{", b'{"new":{"deep":[1]},"dyno":"a\\tb",', 1)
    batch = READER.read(more)
    assert batch.records[0].dyno == "a\tb"
    assert not batch.plain


@pytest.mark.parametrize("body", [b"\n" * 50, b"[" + b"0," * 50 + b"0]", b"[" + GOOD + (b"," + GOOD) * 30 + b"]"])
def test_a_batch_has_a_most(body: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(batches, "MAX_RECORDS", 20)
    with pytest.raises(TooManyRecords):
        READER.read(body)


@given(BODIES, st.booleans())
def test_whatever_comes_is_kept_or_told(body: Any, cut_off: Any) -> None:
    batch = READER.read(body, cut_off=cut_off)
    assert len(batch.records) == len(batch.lines)
    told = [*batch.lines, *(rejection.line for rejection in batch.rejected)]
    assert len(set(told)) == len(told)
    assert all(rejection.error for rejection in batch.rejected)


@given(st.lists(st.sampled_from([GOOD, b"nonsense", b"{}", b" "]), max_size=12), st.booleans())
def test_every_line_that_is_not_blank_is_counted_once(lines: Any, newline: Any) -> None:
    body = b"\n".join(lines) + (b"\n" if newline else b"")
    batch = READER.read(body)
    assert list(batch.lines) == [number for number, line in enumerate(lines, 1) if line == GOOD]
    bad = [number for number, line in enumerate(lines, 1) if line.strip() and line != GOOD]
    assert sorted(rejection.line for rejection in batch.rejected) == bad


@given(st.text(max_size=60), st.integers(-5, 300))
def test_what_is_good_comes_through_as_it_is(text: Any, status: Any) -> None:
    record = {"at": "2026-01-05T00:00:01Z", "host": "h", "dyno": text, "exit_status": status}
    line = json.dumps(record).encode(errors="surrogatepass")
    batch = READER.read(line)
    if "\0" in text:
        assert not batch.records
    else:
        assert (batch.records[0].dyno, batch.records[0].exit_status) == (text, status)


def test_objects_are_taken_like_lines() -> None:
    good = msgspec.json.decode(GOOD)
    batch = READER.take([good, {"host": "h"}, {**good, "host": "\0"}, msgspec.json.decode(GOOD, type=CrashRecord)])
    assert list(batch.lines) == [1, 4]
    assert [rejection.line for rejection in batch.rejected] == [2, 3]


@pytest.mark.parametrize("size", [1, 50, 200, 10_000])
def test_a_body_read_in_slices_says_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SLICE", size)
    body = b"\n".join(GOOD.replace(b'"h1"', b'"h%d"' % number) for number in range(9))
    for ending in (b"", b"\n"):
        batch = READER.read(body + ending)
        assert [record.host for record in batch.records] == [f"h{number}" for number in range(9)]
        assert list(batch.lines) == list(range(1, 10))
    assert [rejection.line for rejection in READER.read(body + b"\n{}\n" + GOOD).rejected] == [10]
