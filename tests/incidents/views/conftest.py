"""A story, and people who are signed in."""

import pytest
from django.test import Client

from tests.incidents.views.story import Story, signed_in, tell_story


@pytest.fixture
def story(db: None) -> Story:
    return tell_story()


@pytest.fixture
def responder(db: None) -> Client:
    return signed_in("responder", name="robin")


@pytest.fixture
def ada(db: None) -> Client:
    return signed_in("administrator", name="ada")
