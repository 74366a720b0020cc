from collections.abc import Iterator

import pytest

from incidents.models import Incident
from tests.incidents.notifying.receiver import Receiver, receiving
from tests.incidents.views.story import tell_story


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as listening:
        yield listening


@pytest.fixture
def incident(db: None) -> Incident:
    return tell_story(hosts=2).incident
