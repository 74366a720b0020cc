"""People and their roles: who may look, who may act, who may decide what others may."""

import secrets
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db import transaction

from incidents.errors import Refused

ROLES: Final = ("viewer", "responder", "administrator")
MOST_CHARACTERS = 150


@transaction.atomic
def set_person(*, name: str, role: str) -> tuple[User, str]:
    """Adds a person, or gives a known one this role; either way with a new password, given once and kept as a hash.

    Raises Refused where the name or the role cannot be.
    """
    if role not in ROLES:
        raise Refused(f"There is no role {role!r}. Choose one of {', '.join(ROLES)}.")
    name = User.normalize_username(name.strip())
    if not name or len(name) > MOST_CHARACTERS or not name.isprintable():
        raise Refused(f"Give a name of 1 to {MOST_CHARACTERS} printable characters.")
    password = secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(username=name)
    user.is_active = True
    user.set_password(password)
    user.save()
    user.groups.set(Group.objects.filter(name=role))
    return user, password


def nobody_can_sign_in() -> bool:
    """Whether no living account exists."""
    return not get_user_model().objects.filter(is_active=True).exists()
