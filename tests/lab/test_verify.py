"""The evidence on an image, item by item, on real mounts: sound, replaced, overwritten, cut short."""

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleet.hostkit import images, linux, receipts
from fleet.hostkit.dynohost import Json, MemoryStore, Program
from fleet.hostkit.machine import RealMachine
from fleet.lab.real.host import HERE
from fleet.lab.simulated import STACK, demo_fleet

pytestmark = pytest.mark.real_lab
IMAGE = "sha256:" + "a" * 64


class Scene:
    """One image in a host's folders, mounted, and a dyno placed on it before anything happened."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree = folder, folder / "tree"
        self.tree.mkdir()
        for number in range(40):
            (self.tree / f"file{number}").write_bytes(random.Random(number).randbytes(65536))
        self.machine = RealMachine(folder / "root", cast("Any", SimpleNamespace()), folder / "none")
        self.path = self.machine.folders.image("cedar-14", IMAGE)
        self.path.parent.mkdir(parents=True)
        self.pack(self.path)
        self.digest = receipts.digest_of(self.path)
        receipts.write_receipt(self.path, digest=self.digest, tools="2.1")
        self.point = images.ensure_mounted(self.machine.folders, self.path, IMAGE)

    def pack(self, target: Path) -> None:
        target.unlink(missing_ok=True)
        subprocess.run(["truncate", "--size", "4M", target], check=True)
        argv = ["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "-d", str(self.tree), str(target)]
        subprocess.run(argv, check=True)

    def place_dyno(self, *, seconds_after_change: float) -> None:
        folder = self.machine.folders.dyno("web.1")
        folder.mkdir()
        spec = {"dyno": "web.1", "app": "shop", "stack": "cedar-14", "image": IMAGE, "memory_mb": 16, "port": 20000}
        placed = self.path.stat().st_ctime + seconds_after_change
        (folder / "spec.json").write_text(json.dumps(spec))
        (folder / "state.json").write_text(json.dumps({"state": "running", "placed_at": placed, "started_at": placed}))

    def forget(self) -> None:
        subprocess.run([sys.executable, "-I", "-S", HERE / "forget.py", self.machine.folders.mounts], check=True)

    def verify(self) -> Json:
        request = {"verb": "verify", "stack": "cedar-14", "image": IMAGE, "digest": self.digest}
        return dict(Program(self.machine, MemoryStore()).handle(request)["result"])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    linux.unmount(scene.point)
    with contextlib.suppress(FileNotFoundError):
        linux.set_immutable(scene.path, False)


def test_a_sound_image(scene: Scene) -> None:
    scene.place_dyno(seconds_after_change=5)
    found, now = scene.verify(), scene.path.stat()
    assert (found["file"]["digest"], found["file"]["inode"]) == (scene.digest, now.st_ino)
    assert (found["file"]["size"], found["file"]["changed_at"]) == (4 << 20, now.st_ctime)
    receipt = found["receipt"]
    matches = ("digest_matches", "inode_matches", "size_matches", "change_time_matches", "digest_as_expected")
    assert [receipt[name] for name in matches] == [True] * 5
    (mount,) = found["mounts"]
    assert (mount["mount_point"], mount["kind"]) == (str(scene.point), "ext4")
    assert (mount["backing_file"], mount["backing_deleted"], mount["backing_is_this_file"]) == (
        str(scene.path), False, True,
    )  # fmt: skip
    assert [dyno["image_changed_after_start"] for dyno in found["dynos"]] == [False]
    assert (found["samples"]["files"], found["samples"]["differ"], found["samples"]["unreadable"]) == (40, 0, 0)
    assert found["direct"]["differ"] == found["kernel"]["errors"] == 0
    assert (found["damaged"], found["against"], found["changed_after_start_of"]) == (False, [], [])


def test_an_image_put_in_the_others_place(scene: Scene) -> None:
    scene.place_dyno(seconds_after_change=-5)
    spare = scene.folder / "spare"
    scene.pack(spare)
    spare.replace(scene.path)
    found = scene.verify()
    assert [mount["backing_deleted"] for mount in found["mounts"]] == [True]
    assert [mount["backing_is_this_file"] for mount in found["mounts"]] == [False]
    assert found["receipt"]["inode_matches"] is False
    assert found["receipt"]["change_time_matches"] is False
    assert (found["damaged"], found["changed_after_start_of"]) == (False, []), "running dynos keep the old inode"


def test_an_image_overwritten_by_the_same_bytes(scene: Scene) -> None:
    """A digest cannot tell, and nothing reads wrongly; the change time and the dynos' age tell."""
    scene.place_dyno(seconds_after_change=-5)
    content = scene.path.read_bytes()
    scene.path.write_bytes(content)
    found = scene.verify()
    assert found["receipt"]["digest_matches"]
    assert found["receipt"]["inode_matches"]
    assert not found["receipt"]["change_time_matches"]
    assert found["changed_after_start_of"] == ["web.1"]
    assert "file changed after 1 dyno started on it" in found["against"]
    assert found["samples"]["differ"] == 0


def test_an_image_overwritten_by_another_packing(scene: Scene) -> None:
    other = scene.folder / "other"
    scene.tree.rename(scene.folder / "before")
    scene.tree.mkdir()
    (scene.tree / "file").write_bytes(os.urandom(1 << 20))
    for number in range(30):
        (scene.tree / f"file{number}").write_bytes(random.Random(number).randbytes(65536))
    scene.pack(other)
    scene.path.write_bytes(other.read_bytes())
    os.sync()
    receipts.write_receipt(scene.path, digest=receipts.digest_of(scene.path), tools="2.0")
    scene.forget()
    found = scene.verify()
    assert found["receipt"]["digest_as_expected"] is False
    assert found["receipt"]["digest_matches"] is True
    assert found["samples"]["differ"] + found["samples"]["unreadable"] > 0
    assert found["samples"]["examples"]
    assert found["damaged"] is True


def test_an_image_cut_short(scene: Scene) -> None:
    scene.place_dyno(seconds_after_change=-5)
    os.truncate(scene.path, 1 << 20)
    scene.forget()
    found = scene.verify()
    assert found["samples"]["fresh_mount"] != "ok"
    assert found["receipt"]["size_matches"] is False
    assert found["receipt"]["digest_matches"] is False
    assert "content is not what its record says" in found["against"]
    assert found["damaged"] is True, "also where the kernel held its lines back"


def test_simulated_hosts_give_evidence_of_the_same_shape(scene: Scene, tmp_path: Path) -> None:
    scene.place_dyno(seconds_after_change=5)
    lab = demo_fleet(1, folder=tmp_path / "lab")
    name = next(host for host, one in lab._hosts.items() if (STACK, lab.images["original"]) in one.machine.files.files)
    program = Program(lab.host(name).machine, MemoryStore())
    request = {"verb": "verify", "stack": STACK, "image": lab.images["original"], "digest": lab.images["original"]}
    real, simulated = scene.verify(), program.handle(request)["result"]
    assert set(simulated) == set(real)
    for part in ("file", "samples", "direct", "kernel"):
        assert set(simulated[part]) == set(real[part]), part
    for part in ("mounts", "dynos"):
        assert set(simulated[part][0]) == set(real[part][0]), part


def test_an_image_that_is_not_there_is_refused(scene: Scene) -> None:
    request = {"verb": "verify", "stack": "cedar-14", "image": "sha256:" + "b" * 64}
    assert Program(scene.machine, MemoryStore()).handle(request)["error"] == "no_image"
