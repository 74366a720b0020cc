"""An unprotected file lets every attempt through, unharmed; an immutable one refuses them all."""

import os
import subprocess
from pathlib import Path

import pytest

from fleet.hostkit.attempts import GOT_THROUGH, attempts, held


def test_attempts_on_an_unprotected_image_get_through_and_change_nothing(tmp_path: Path) -> None:
    image = tmp_path / "image.img"
    image.write_bytes(b"content")
    before = image.stat()
    outcomes = attempts(image)
    assert set(outcomes.values()) == {GOT_THROUGH}
    assert not held(outcomes)
    assert image.read_bytes() == b"content"
    assert (image.stat().st_ino, image.stat().st_nlink, image.stat().st_mode) == (before.st_ino, 1, before.st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set the immutable attribute")
def test_attempts_on_an_immutable_image_are_refused_also_for_root(tmp_path: Path) -> None:
    image = tmp_path / "image.img"
    image.write_bytes(b"content")
    if subprocess.run(["chattr", "+i", str(image)], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no immutable attribute")
    try:
        assert attempts(image) == dict.fromkeys(["open_for_writing", "link_and_replace", "change_mode"], "EPERM")
    finally:
        subprocess.run(["chattr", "-i", str(image)], check=True)
