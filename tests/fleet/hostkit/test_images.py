"""Installing an image: nothing there is written to, every earlier record counts, and the order is the safe one."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.hostkit import images, linux, receipts
from fleet.hostkit.dynohost import Refused
from tests.fleet.hostkit.conftest import Depot

CONTENT = b"stack image " * 5000
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
seen: list[tuple[str, str, int]] = []
watching: list[bool] = []


def note(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook cannot be taken away again, so it listens only while a test watches."""
    if watching and event in {"open", "os.rename", "os.truncate"}:
        flags = arguments[2] if event == "open" else 0
        seen.append((event, os.fspath(arguments[0]) if isinstance(arguments[0], str) else "", int(str(flags or 0))))


sys.addaudithook(note)


@pytest.fixture
def watched() -> Iterator[list[tuple[str, str, int]]]:
    seen.clear()
    watching.append(True)
    yield seen
    watching.clear()


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cedar-14" / "image.img"
    path.parent.mkdir()
    yield path
    if path.exists():
        linux.set_immutable(path, False)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "packed"
    path.write_bytes(CONTENT)
    return str(path)


def test_an_image_that_is_there_is_never_opened_for_writing(
    image: Path, source: str, watched: list[tuple[str, str, int]]
) -> None:
    image.write_bytes(b"rotten")
    seen.clear()
    with image.open("rb") as running:
        assert images.install(image, source=source, digest=DIGEST) == "installed"
        assert running.read() == b"rotten"
    assert image.read_bytes() == CONTENT
    opened = [flags for event, path, flags in watched if event == "open" and path == str(image)]
    assert opened
    assert not [flags for flags in opened if flags & WRITING]
    assert ("os.rename", str(image.with_name(".image.img.part")), 0) in watched
    assert not [event for event in watched if event[0] == "os.truncate"]


def test_content_is_on_disk_before_it_has_its_name(image: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between the two must never leave a name on half a file."""
    steps: list[tuple[str, bool]] = []
    sync = os.fsync

    def noting(descriptor: int) -> None:
        sync(descriptor)
        steps.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, image.exists()))

    monkeypatch.setattr(os, "fsync", noting)
    images.install(image, source=source, digest=DIGEST)
    assert steps[:2] == [(".image.img.part", False), ("cedar-14", True)]
    assert steps[2][0].startswith(".image.img.receipt.json")


def test_the_receipt_tells_of_the_file_as_it_is(image: Path, source: str) -> None:
    images.install(image, source=source, digest=DIGEST, tools="2.1")
    receipt, now = receipts.read_receipt(image), image.stat()
    assert receipt
    assert (receipt["digest"], receipt["algorithm"], receipt["tools"]) == (DIGEST, "sha256", "2.1")
    assert (receipt["size"], receipt["inode"]) == (len(CONTENT), now.st_ino)
    assert receipt["change_time_ns"] == now.st_ctime_ns
    assert receipt["immutable"] is (linux.is_immutable(image) is True)
    assert images.install(image, source="/nowhere", digest=DIGEST) == "skipped"


@pytest.mark.parametrize(("ending", "algorithm"), [("sha256", "sha256"), ("md5", "md5"), ("sum", "sha1")])
def test_a_record_of_any_earlier_format_is_enough(image: Path, ending: str, algorithm: str) -> None:
    image.write_bytes(CONTENT)
    image.with_name(f"image.img.{ending}").write_text(hashlib.new(algorithm, CONTENT).hexdigest() + "  image.img\n")
    changed = image.stat().st_ctime_ns
    assert images.install(image, source="/nowhere", digest=DIGEST) == "skipped"
    assert image.stat().st_ctime_ns == changed


@pytest.mark.parametrize("record", [b"", b"\xff\xfe\x00", b"d41d8cd98f00b204e9800998ecf8427e  image.img\n"])
def test_a_record_that_does_not_hold_is_no_record(image: Path, source: str, record: bytes) -> None:
    image.write_bytes(b"rotten")
    image.with_name("image.img.md5").write_bytes(record)
    inode = image.stat().st_ino
    with image.open("rb"):  # keeps the old inode from being used again
        assert images.install(image, source=source, digest=DIGEST) == "installed"
        assert image.stat().st_ino != inode


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "md5:0", "0" * 64, ""])
def test_what_is_not_the_wanted_content_is_thrown_away(image: Path, source: str, digest: str) -> None:
    image.write_bytes(b"old")
    with pytest.raises(Refused):
        images.install(image, source=source, digest=digest)
    assert image.read_bytes() == b"old"
    assert sorted(path.name for path in image.parent.iterdir()) == ["image.img", "image.lock"]


def test_a_download_cut_short_may_be_tried_again(image: Path, depot: Depot) -> None:
    depot.content, depot.missing_bytes = CONTENT[:-100], 100
    with pytest.raises(Refused, match="100 bytes early") as refused:
        images.install(image, source=depot.url, digest=DIGEST)
    assert (refused.value.code, refused.value.retry) == ("download_failed", True)
    depot.content, depot.missing_bytes = CONTENT, 0
    assert images.install(image, source=depot.url, digest=DIGEST) == "installed"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("ftp://x/y", "bad_request"),
        ("file:///etc/passwd", "bad_request"),
        ("image", "bad_request"),
        ("/nowhere/image", "download_failed"),
        ("http://127.0.0.1:1/image", "download_failed"),
        ("http://bad host/", "download_failed"),
    ],
)
def test_sources_that_give_nothing(image: Path, source: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        images.install(image, source=source, digest=DIGEST)
    assert refused.value.code == code
    assert not image.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set the immutable attribute")
def test_an_installed_image_is_immutable_and_may_still_be_replaced_by_install(image: Path, source: str) -> None:
    images.install(image, source=source, digest=DIGEST)
    if not linux.is_immutable(image):
        pytest.skip("this file system has no immutable attribute")
    with pytest.raises(PermissionError):
        image.open("r+b")
    newer = Path(source)
    newer.write_bytes(b"newer")
    receipts.receipt_path(image).unlink()
    digest = "sha256:" + hashlib.sha256(b"newer").hexdigest()
    assert images.install(image, source=source, digest=digest) == "installed"
    assert (image.read_bytes(), linux.is_immutable(image)) == (b"newer", True)
