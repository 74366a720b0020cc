"""What protects an image from root, tried for real on a loop-mounted image."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.hostkit import linux
from tests.lab.hosts import loop_device

pytestmark = pytest.mark.real_lab
OTHER = b"B" * 4096


@dataclass(frozen=True)
class Scene:
    """An image that is mounted, and a descriptor opened for writing before any protection."""

    image: Path
    mount: Path
    early: int


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"A" * 200000)
    (tmp_path / "images").mkdir()
    (tmp_path / "mount").mkdir()
    image = tmp_path / "images" / "image.img"
    subprocess.run(["mksquashfs", str(tmp_path / "tree"), str(image), "-quiet", "-noappend"], check=True)
    linux.mount_image(image, tmp_path / "mount")
    scene = Scene(image, tmp_path / "mount", os.open(image, os.O_RDWR))
    try:
        yield scene
    finally:
        os.close(scene.early)
        with contextlib.suppress(OSError):
            linux.unmount(image.parent)
        linux.set_immutable(image, False)
        linux.unmount(scene.mount)


def truncate(scene: Scene) -> None:
    scene.image.open("wb").close()


def overwrite(scene: Scene) -> None:
    with scene.image.open("r+b") as stream:
        stream.write(OTHER)


def write_through_early_descriptor(scene: Scene) -> None:
    os.pwrite(scene.early, OTHER, 0)


def write_through_a_loop(scene: Scene) -> None:
    with loop_device(scene.image) as device, device.open("r+b", buffering=0) as stream:
        stream.write(OTHER)
        os.fsync(stream.fileno())


def remove(scene: Scene) -> None:
    scene.image.unlink()


def replace(scene: Scene) -> None:
    spare = scene.image.with_name("spare")
    spare.write_bytes(OTHER)
    spare.replace(scene.image)


def chmod(scene: Scene) -> None:
    scene.image.chmod(0o444)


def bind_read_only(scene: Scene) -> None:
    folder = str(scene.image.parent)
    linux.bind(folder, folder, read_only=True)


def chattr(scene: Scene) -> None:
    if not linux.set_immutable(scene.image, True):
        pytest.skip("this file system has no immutable flag")


WRITES = (truncate, overwrite, write_through_early_descriptor, write_through_a_loop)
TABLE: list[tuple[Callable[[Scene], None], Callable[[Scene], None], bool]] = [
    *((chmod, attack, False) for attack in WRITES),
    (bind_read_only, truncate, True),
    (bind_read_only, overwrite, True),
    (bind_read_only, write_through_early_descriptor, False),
    (bind_read_only, write_through_a_loop, True),
    *((chattr, attack, True) for attack in (*WRITES, remove, replace)),
]


@pytest.mark.parametrize(("protect", "attack", "stopped"), TABLE, ids=lambda value: getattr(value, "__name__", None))
def test_what_stops_what(
    scene: Scene, protect: Callable[[Scene], None], attack: Callable[[Scene], None], stopped: bool
) -> None:
    before = scene.image.read_bytes()
    protect(scene)
    with contextlib.suppress(OSError):
        attack(scene)
    assert (scene.image.exists() and scene.image.read_bytes() == before) is stopped


def test_a_new_file_renamed_into_place_leaves_running_dynos_alone(scene: Scene) -> None:
    inode, content = scene.image.stat().st_ino, os.pread(scene.early, 1 << 20, 0)
    replace(scene)
    assert scene.image.stat().st_ino != inode
    assert os.pread(scene.early, 1 << 20, 0) == content
    for path in (scene.mount / "file",):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
        assert path.read_bytes() == b"A" * 200000
