"""PURE. The formats of deploy webhooks: one file each, and one line here."""

from collections.abc import Callable
from typing import Any

from fleet.ingest.formats import faultline
from fleet.ingest.formats.facts import Parsed

PARSERS: dict[str, Callable[[Any], Parsed]] = {
    faultline.NAME: faultline.parse,
}
