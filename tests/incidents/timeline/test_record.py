from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import Error, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import journal
from fleet.actor import SYSTEM, Actor
from incidents.models import Incident, TimelineEntry
from incidents.timeline.chain import settled
from incidents.timeline.record import first_break, is_whole, record

NOW = datetime(2026, 3, 4, 3, 10, 0, 123456, tzinfo=UTC)


def make_incident() -> Incident:
    return Incident.objects.create(verdict="fleet", subject="fleet", headline="x", began_at=NOW, opened_at=NOW)


def write(incident: Incident, text: str = "hello", **data: object) -> TimelineEntry:
    return record(incident_id=incident.pk, kind="note", text=text, actor=SYSTEM, occurred_at=NOW, data=data)


def chain(incident: Incident) -> list[TimelineEntry]:
    return list(incident.timeline.order_by("sequence"))


@pytest.fixture
def protection_off(transactional_db: None) -> Iterator[None]:
    """Somebody with the database's password goes behind the trigger's back."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_timelineentry DISABLE TRIGGER pgtrigger_append_only_973d6")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE incidents_timelineentry ENABLE TRIGGER pgtrigger_append_only_973d6")


@pytest.mark.django_db(transaction=True)
def test_twenty_writers_leave_one_whole_chain() -> None:
    incident = make_incident()

    def write_five(writer: int) -> None:
        try:
            for number in range(5):
                record(
                    incident_id=incident.pk, kind="note", text=f"{writer}.{number}",
                    actor=Actor("person", f"writer {writer}"), occurred_at=NOW,
                )  # fmt: skip
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write_five, range(20)))
    entries = chain(incident)
    assert [entry.sequence for entry in entries] == list(range(1, 101))
    assert len({entry.text for entry in entries}) == 100
    assert sorted(entry.recorded_at for entry in entries) == [entry.recorded_at for entry in entries]
    assert is_whole(incident)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", ["UPDATE incidents_timelineentry SET text = 'x'", "DELETE FROM incidents_timelineentry"]
)
def test_database_refuses_to_change_an_entry(change: str) -> None:
    incident = make_incident()
    write(incident)
    with pytest.raises(Error, match="Cannot update or delete"), transaction.atomic():
        connection.cursor().execute(change)
    assert is_whole(incident)


@pytest.mark.django_db
@pytest.mark.parametrize("emptied", ["incidents_timelineentry", "incidents_incident CASCADE"])
def test_database_refuses_to_empty_the_timeline(emptied: str) -> None:
    incident = make_incident()
    write(incident)
    with connection.cursor() as cursor:  # undone with the test; every other database is born with it on
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE incidents_timelineentry ENABLE TRIGGER pgtrigger_never_emptied_cc550")
    with pytest.raises(Error, match="Cannot truncate incidents_timelineentry"), transaction.atomic():
        connection.cursor().execute(f"TRUNCATE {emptied}")
    assert is_whole(incident)


@pytest.mark.usefixtures("protection_off")
@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE incidents_timelineentry SET text = 'never happened' WHERE sequence = 3",
        "UPDATE incidents_timelineentry SET occurred_at = occurred_at + interval '1 second' WHERE sequence = 3",
        """UPDATE incidents_timelineentry SET data = '{"n": 4}' WHERE sequence = 3""",
        "UPDATE incidents_timelineentry SET actor = 'somebody else' WHERE sequence = 3",
        "DELETE FROM incidents_timelineentry WHERE sequence = 3",
    ],
)
def test_tampering_is_found_where_it_happened(tampering: str) -> None:
    incident = make_incident()
    for number in range(5):
        write(incident, n=number)
    connection.cursor().execute(tampering)
    assert first_break(chain(incident)) == 3
    assert not is_whole(incident)


@pytest.mark.usefixtures("protection_off")
def test_a_cut_off_end_is_found() -> None:
    incident = make_incident()
    for _ in range(3):
        write(incident)
    connection.cursor().execute("DELETE FROM incidents_timelineentry WHERE sequence = 3")
    assert first_break(chain(incident)) is None
    assert not is_whole(incident)


@pytest.mark.django_db
def test_odd_texts_and_numbers_are_kept_and_verify() -> None:
    incident = make_incident()
    write(incident, "a\x00b \ud800 \N{SNOWMAN} <b>", huge=1e22, tiny=1e-9, minus_zero=-0.0, none=float("nan"), at=NOW)
    write(incident, nested={"a": [1, 2.5, {"\x00": "\x00"}]}, whole=3.0, big=2**70)
    assert is_whole(incident)
    assert chain(incident)[0].text == "a\N{REPLACEMENT CHARACTER}b ? \N{SNOWMAN} <b>"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.django_db
@settings(max_examples=150, deadline=None)
@given(value=JSON)
def test_any_data_comes_back_as_it_was_settled(value: object) -> None:
    with transaction.atomic():
        incident = make_incident()
        write(incident, value=value)
        assert is_whole(incident)
        transaction.set_rollback(True)


def test_settling_twice_changes_nothing_more() -> None:
    once = settled({"a": [1e22, -0.0, "x\x00"], "b": float("inf")})
    assert settled(once) == once == {"a": [10**22, 0.0, "x\N{REPLACEMENT CHARACTER}"], "b": None}


@pytest.mark.django_db
def test_fleet_writes_into_the_timeline_it_refers_to() -> None:
    incident = make_incident()
    for reference in (incident.reference, "drill:7", "", "incident:x"):
        journal.record(reference=reference, kind="taint", text="Tainted h1", actor=SYSTEM, occurred_at=NOW)
    assert [entry.kind for entry in chain(incident)] == ["taint"]
