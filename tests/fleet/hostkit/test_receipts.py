import os
import time
from pathlib import Path

import pytest

from fleet.hostkit import receipts, verify


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.img"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize(("ending", "algorithm"), [("sha256", "sha256"), ("md5", "md5"), ("sum", "sha1")])
def test_checksum_files_of_every_earlier_format_are_honoured(image: Path, ending: str, algorithm: str) -> None:
    assert not receipts.is_whole(image)
    digest = receipts.digest_of(image, algorithm).partition(":")[2]
    image.with_name(f"image.img.{ending}").write_text(f"{digest.upper()}  image.img\n")
    assert receipts.is_whole(image)
    image.write_bytes(b"CONTENT")
    assert not receipts.is_whole(image)


def test_a_receipt_tells_a_rewriting_that_left_the_digest_right(image: Path) -> None:
    digest = receipts.digest_of(image)
    receipts.write_receipt(image, digest=digest, tools="2.1")
    assert verify.receipt_evidence(image, digest, None)["change_time_matches"]
    time.sleep(0.02)
    image.write_bytes(b"content")
    evidence = verify.receipt_evidence(image, digest, digest)
    assert evidence["digest_matches"]
    assert evidence["digest_as_expected"]
    assert evidence["inode_matches"]
    assert not evidence["change_time_matches"]


def test_a_change_is_seen_though_the_modification_time_was_set_back(image: Path) -> None:
    before = time.time()
    os.utime(image, (1, 1))
    assert verify.content_changed_at(image) >= before - 1


def test_dynos_placed_before_the_change_are_named() -> None:
    dynos = [
        {"dyno": f"web.{number}", "app": "a", "image": "i", "placed_at": placed, "started_at": 90.0}
        for number, placed in enumerate([10.0, 50.0, None])
    ]
    found = verify.dyno_evidence([*dynos, {"image": "other"}], "i", 20.0)
    assert [(dyno["dyno"], dyno["image_changed_after_start"]) for dyno in found] == [
        ("web.0", True), ("web.1", False), ("web.2", False),
    ]  # fmt: skip


def test_cached_reads_are_held_against_the_disk(image: Path) -> None:
    image.write_bytes(os.urandom(65536))
    os.sync()
    evidence = verify.direct_evidence(image, [])
    if not evidence["possible"]:
        pytest.skip("this file system has no direct reads")
    assert (evidence["blocks"], evidence["differ"]) == (16, 0)
    other = image.with_name("other")
    other.write_bytes(os.urandom(65536))
    assert verify.direct_evidence(image, [str(other)])["differ"] == 16
