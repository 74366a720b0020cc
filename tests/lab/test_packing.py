"""How the two generations of tools pack the same tree: what one finds at the other's places."""

import subprocess
from pathlib import Path

import pytest

from fleet.hostkit import linux
from fleet.lab.real.images import StackVersion, build_registry, name_of
from fleet.lab.real.packing import BLOCK

pytestmark = pytest.mark.real_lab
PARTS = [f"/usr/lib/stack/part{number:02d}.code" for number in range(16)]


@pytest.fixture(scope="module")
def images(lab_folder: Path) -> dict[str, Path]:
    version = StackVersion("cedar-14", "2016-11-30", "ext4")
    registry, (image,) = build_registry(lab_folder, [version])
    return {"old": registry.packed(image, "1.9"), "new": registry.packed(image, "2.0")}


def places(image: Path, paths: list[str]) -> list[list[int]]:
    """The numbers of each file's blocks, its own list of blocks included."""
    asked = "\n".join(f"blocks {path}" for path in paths)
    argv = ["debugfs", "-f", "-", str(image)]
    lines = subprocess.run(argv, input=asked, capture_output=True, text=True, check=True).stdout.splitlines()
    return [[int(word) for word in line.split()] for line in lines if line and not line.startswith("debugfs")]


def test_what_programs_need_to_start_is_at_the_same_place(images: dict[str, Path]) -> None:
    words = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout.split()
    libraries = [word for word in words if word.startswith("/")]
    found = places(images["old"], libraries)
    assert len(found) == len(libraries) > 1
    assert found == places(images["new"], libraries)


def test_no_part_finds_its_own_code_again(images: dict[str, Path]) -> None:
    old, new = images["old"].read_bytes(), images["new"].read_bytes()
    for path, blocks in zip(PARTS, places(images["old"], PARTS), strict=True):
        spots = [slice(number * BLOCK, (number + 1) * BLOCK) for number in blocks]
        assert not any(old[spot] == new[spot] for spot in spots), path


def test_some_parts_lie_behind_the_end_of_the_new_image_and_most_before_it(images: dict[str, Path]) -> None:
    end = images["new"].stat().st_size // BLOCK
    ranges = [(min(blocks), max(blocks)) for blocks in places(images["old"], PARTS)]
    assert [last < end for _, last in ranges] == [True] * 12 + [False] * 4
    assert [first >= end for first, _ in ranges] == [False] * 12 + [True] * 4


def test_both_hold_the_same_tree(images: dict[str, Path], tmp_path: Path) -> None:
    trees = {}
    for generation, image in images.items():
        point = tmp_path / generation
        point.mkdir()
        linux.mount_image(image, point)
        try:
            (point / "lost+found").stat()
            trees[generation] = name_of(point)
        finally:
            linux.unmount(point)
    assert trees["old"] == trees["new"]
