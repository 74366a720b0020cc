"""People: their roles, their passwords, and the command that makes them."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from incidents.errors import Refused
from incidents.people import nobody_can_sign_in, set_person

pytestmark = pytest.mark.django_db
ACT, ADMINISTER = "incidents.respond", "incidents.administer"


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", set()), ("responder", {ACT}), ("administrator", {ACT, ADMINISTER})]
)
def test_a_role_gives_what_its_word_says_and_no_more(role: str, may: set[str]) -> None:
    user, password = set_person(name="ada", role=role)
    assert authenticate(username="ada", password=password) == user
    assert {word for word in (ACT, ADMINISTER) if user.has_perm(word)} == may
    assert not user.is_superuser
    assert password not in str(get_user_model().objects.values().get())


def test_another_role_replaces_the_one_before_and_the_old_password_is_dead() -> None:
    _, old = set_person(name="ada", role="administrator")
    user, new = set_person(name=" ada ", role="viewer")
    assert get_user_model().objects.count() == 1
    assert not user.has_perm(ACT)
    assert authenticate(username="ada", password=old) is None
    assert authenticate(username="ada", password=new) == user


def test_one_who_was_locked_out_can_come_back() -> None:
    user, _ = set_person(name="ada", role="viewer")
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)
    assert nobody_can_sign_in()
    _, password = set_person(name="ada", role="viewer")
    assert authenticate(username="ada", password=password)


@pytest.mark.parametrize("name", ["", "   ", "a" * 151, "two\nlines", "nul\0"])
def test_a_name_that_cannot_be_is_refused_in_words(name: str) -> None:
    with pytest.raises(Refused, match="1 to 150 printable characters"):
        set_person(name=name, role="viewer")
    assert nobody_can_sign_in()


def test_a_role_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused, match="viewer, responder, administrator"):
        set_person(name="ada", role="root")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("set_person", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_command_prints_the_password_alone() -> None:
    assert authenticate(username="ada", password=run("ada", "--role", "viewer"))
    with pytest.raises(CommandError, match="printable"):
        run(" ")


def test_the_first_account_is_made_once() -> None:
    assert run("admin", "--role", "administrator", "--first")
    assert run("admin", "--role", "administrator", "--first") == ""
    assert run("other", "--first") == ""
    assert get_user_model().objects.count() == 1
