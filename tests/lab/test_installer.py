import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.hostkit import images, linux, receipts
from fleet.hostkit.dynohost import Refused
from fleet.lab import installer


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "packed.img"
    path.write_bytes(b"the image" * 1000)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cedar-14" / "image.img"
    yield path
    if path.exists():
        linux.set_immutable(path, False)


def test_old_tools_honour_their_own_checksum_file(target: Path, packed: Path) -> None:
    assert installer.install("1.9", target=target, packed=packed) == "installed"
    wanted = hashlib.md5(packed.read_bytes(), usedforsecurity=False).hexdigest()
    assert target.with_name("image.img.md5").read_text().split() == [wanted, "image.img"]
    assert installer.install("1.9", target=target, packed=packed) == "skipped"


def test_new_tools_overwrite_in_place_what_the_old_ones_brought(target: Path, packed: Path) -> None:
    installer.install("1.9", target=target, packed=packed)
    inode = target.stat().st_ino
    other = packed.with_name("other.img")
    other.write_bytes(b"repacked " * 1000)
    with target.open("rb") as running:
        assert installer.install("2.0", target=target, packed=other) == "installed"
        assert running.read() == other.read_bytes()
    assert target.stat().st_ino == inode
    assert installer.install("2.0", target=target, packed=other) == "skipped"


def test_fixed_tools_honour_every_earlier_record(target: Path, packed: Path) -> None:
    for tools in ("1.9", "2.0"):
        installer.install(tools, target=target, packed=packed)
        changed = target.stat().st_ctime_ns
        assert installer.install("2.1", target=target, packed=packed) == "skipped"
        assert target.stat().st_ctime_ns == changed
        target.with_name(f"image.img.{'md5' if tools == '1.9' else 'sha256'}").unlink()


def test_fixed_tools_never_touch_the_file_that_dynos_have_open(target: Path, packed: Path) -> None:
    installer.install("1.9", target=target, packed=packed)
    target.write_bytes(b"rotten")
    with target.open("rb") as running:
        assert installer.install("2.1", target=target, packed=packed) == "installed"
        assert running.read() == b"rotten"
    assert target.read_bytes() == packed.read_bytes()
    receipt = receipts.read_receipt(target)
    assert receipt is not None
    assert (receipt["inode"], receipt["tools"]) == (target.stat().st_ino, "2.1")
    assert receipt["change_time_ns"] == target.stat().st_ctime_ns
    assert installer.install("2.1", target=target, packed=packed) == "skipped"


def test_a_download_that_is_not_the_image_is_not_installed(target: Path, packed: Path) -> None:
    target.parent.mkdir()
    with pytest.raises(Refused, match="what was fetched"):
        images.install(target, source=str(packed), digest="sha256:" + "0" * 64)
    assert [path.suffix for path in target.parent.iterdir()] == [".lock"]
