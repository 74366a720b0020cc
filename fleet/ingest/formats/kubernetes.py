"""PURE. Pods of Kubernetes: single ones, lists, or what a watch tells of them."""

from collections.abc import Iterator, Sequence
from typing import Any

from fleet.ingest.formats.deaths import Found, app_of, at, how, listed

NAME = "kubernetes"
EXAMPLE = {
    "kind": "Pod", "metadata": {"name": "app-17-6f9d", "labels": {"app": "app-17"}}, "spec": {"nodeName": "h0007"},
    "status": {"containerStatuses": [{"name": "web", "containerID": "containerd://77ab", "lastState": {"terminated": {
        "containerID": "containerd://77aa", "exitCode": 139, "finishedAt": "2026-01-05T01:04:19Z"}}}]},
}  # fmt: skip


def parse(events: Sequence[tuple[int, Any]]) -> Found:
    """The crashes that some objects tell of, each with its place. Told of again, they are duplicates."""
    found = Found()
    for line, event in events:
        if not isinstance(event, dict):
            found.reject(line, "expected an object: a Pod, a list of Pods or an event of a watch")
            continue
        for pod in _pods(event):
            _read(line, pod, found)
    return found


def _pods(event: dict[str, Any]) -> list[Any]:
    items = event.get("items")
    return items if isinstance(items, list) else [event.get("object", event)]


def _read(line: int, pod: Any, found: Found) -> None:
    name, app = at(pod, "metadata", "name"), app_of(at(pod, "metadata", "labels"))
    place = {"host": at(pod, "spec", "nodeName"), "app": app}
    for container, ended in _ended(pod):
        try:
            died = how(at(ended, "exitCode"), out_of_memory=at(ended, "reason") == "OOMKilled")
        except ValueError as error:
            found.reject(line, f"the exit code of {name}/{container} cannot be read: {error}"[:300])
            continue
        if died:
            when, key = at(ended, "finishedAt"), at(ended, "containerID")
            found.add(line, {"at": when, "id": key, "dyno": f"{name}/{container}", **place, **died})


def _ended(pod: Any) -> Iterator[tuple[Any, Any]]:
    """The ends of its containers, by their names."""
    for kind in ("containerStatuses", "initContainerStatuses"):
        for container in listed(at(pod, "status", kind)):
            ends = [at(container, state, "terminated") for state in ("state", "lastState")]
            yield from ((at(container, "name"), ended) for ended in ends if ended)
