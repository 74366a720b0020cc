"""PURE. The formats of deploy webhooks and of crash feeds: one file each, and one line here."""

from collections.abc import Callable, Sequence
from typing import Any

from fleet.ingest.formats import docker, faultline, journald, kubernetes, logplex, otlp, podman
from fleet.ingest.formats.deaths import Found
from fleet.ingest.formats.facts import Parsed

PARSERS: dict[str, Callable[[Any], Parsed]] = {
    faultline.NAME: faultline.parse,
}
FEEDS: dict[str, Callable[[Sequence[tuple[int, Any]]], Found]] = {
    docker.NAME: docker.parse,
    journald.NAME: journald.parse,
    kubernetes.NAME: kubernetes.parse,
    logplex.NAME: logplex.parse,
    otlp.NAME: otlp.parse,
    podman.NAME: podman.parse,
}
