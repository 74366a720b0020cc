"""Images as files on a simulated host, and the installers' three versions on them."""

import random

import pytest

from fleet.lab.installer import INSTALLERS
from fleet.lab.simulated.files import ALGORITHMS, Files, ImageFile
from fleet.lab.simulated.installers import FIXED, has_good_record, install, receipt_of

STACK, IMAGE = "cedar-14", "sha256:" + "ab" * 32
NOW = 1_800_000_000.0


def files(seed: int = 1) -> Files:
    return Files(random.Random(seed))


def put(host: Files, tools: str, at: float = NOW - 100) -> ImageFile:
    """An image there since before, with the record of that version, and mounted."""
    assert install(host, stack=STACK, image=IMAGE, tools=tools, now=at) == "installed"
    file = host.find(STACK, IMAGE)
    assert file
    host.mounted(file, at + 1)
    return file


def test_simulated_and_real_installers_are_the_same_versions() -> None:
    assert {*ALGORITHMS, FIXED} == set(INSTALLERS)


@pytest.mark.parametrize("tools", [*ALGORITHMS, FIXED])
def test_every_version_trusts_its_own_record(tools: str) -> None:
    host = files()
    file = put(host, tools)
    before = (file.inode, file.changed_at)
    assert install(host, stack=STACK, image=IMAGE, tools=tools, now=NOW) == "skipped"
    assert host.find(STACK, IMAGE) is file
    assert (file.inode, file.changed_at) == before


@pytest.mark.parametrize(("old", "new"), [("1.9", "2.0"), ("2.0", "1.9")])
def test_a_version_that_does_not_know_the_record_overwrites_what_is_mounted(old: str, new: str) -> None:
    host = files()
    file = put(host, old)
    assert install(host, stack=STACK, image=IMAGE, tools=new, now=NOW) == "installed"
    assert host.find(STACK, IMAGE) is file
    assert (file.changed_at, file.digest()) == (NOW, IMAGE)
    assert host.mounts[IMAGE].bad_share > 0.3
    assert set(file.checksums) == {"md5", "sha256"}
    assert install(host, stack=STACK, image=IMAGE, tools=old, now=NOW + 1) == "skipped"


@pytest.mark.parametrize("old", ALGORITHMS)
def test_the_mended_version_honours_every_earlier_record(old: str) -> None:
    host = files()
    file = put(host, old)
    assert install(host, stack=STACK, image=IMAGE, tools=FIXED, now=NOW) == "skipped"
    assert host.mounts[IMAGE].bad_share == 0
    assert file.changed_at < NOW


def test_the_mended_version_puts_a_new_file_in_place_and_leaves_the_mounted_one() -> None:
    host = files()
    old = put(host, "1.9")
    old.checksums.clear()
    assert install(host, stack=STACK, image=IMAGE, tools=FIXED, now=NOW) == "installed"
    new = host.find(STACK, IMAGE)
    assert new
    assert new.inode != old.inode
    assert (host.mounts[IMAGE].file, host.mounts[IMAGE].bad_share) == (old, 0)
    assert new.immutable
    assert new.receipt
    assert (new.receipt["inode"], new.receipt["change_time_ns"]) == (new.inode, int(NOW * 1e9))


@pytest.mark.parametrize(("old", "new"), [("1.9", "2.0"), ("2.0", "1.9")])
def test_a_protected_image_is_not_overwritten_and_the_tool_says_that_it_failed(old: str, new: str) -> None:
    host = files()
    file = put(host, old)
    file.immutable = True
    before = dict(file.checksums)
    assert install(host, stack=STACK, image=IMAGE, tools=new, now=NOW) == "failed"
    assert (file.checksums, host.mounts[IMAGE].bad_share) == (before, 0)
    assert file.changed_at < NOW


def test_an_installer_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no installer 3\.0; known: 1\.9, 2\.0, 2\.1"):
        install(files(), stack=STACK, image=IMAGE, tools="3.0", now=NOW)


def test_a_wrong_record_is_no_good_one() -> None:
    file = ImageFile(STACK, IMAGE, 7, NOW)
    assert not has_good_record(file)
    file.checksums["md5"] = "md5:" + "0" * 32
    assert not has_good_record(file)
    file.checksums["sha256"] = IMAGE
    assert has_good_record(file)
    file.receipt = receipt_of(file, NOW, FIXED) | {"digest": "sha256:" + "0" * 64}
    assert not has_good_record(file)


def test_each_overwrite_does_more_damage_and_some_pages_stay_good() -> None:
    host = files()
    file = put(host, "1.9")
    shares = []
    for turn in range(6):
        host.overwrite(file, NOW + turn)
        shares.append(host.mounts[IMAGE].bad_share)
    assert shares == sorted(shares)
    assert shares[-1] == 0.9


def test_an_overwrite_leaves_the_mounts_of_other_images_alone() -> None:
    host = files()
    file, other = put(host, "1.9"), host.create(STACK, "sha256:cd", NOW - 50)
    host.mounted(other, NOW - 40)
    host.overwrite(file, NOW)
    assert host.mounts["sha256:cd"].bad_share == 0


def test_reading_everything_anew_harms_only_what_is_damaged() -> None:
    host = files()
    file, other = put(host, "1.9"), host.create(STACK, "sha256:cd", NOW)
    host.mounted(other, NOW)
    host.overwrite(file, NOW)
    before = host.mounts[IMAGE].bad_share
    for _ in range(9):
        host.drop_caches()
    assert before < host.mounts[IMAGE].bad_share <= 0.95
    assert host.mounts["sha256:cd"].bad_share == 0


def test_one_mount_an_image_and_each_on_a_loop_device_of_its_own() -> None:
    host = files()
    made = [host.create(STACK, f"sha256:{n}", NOW) for n in range(5)]
    assert len({host.mounted(file, NOW).loop for file in made}) == 5
    first = host.mounted(made[0], NOW + 9)
    assert (first.loop, first.mounted_at) == ("loop0", NOW)
    assert len({file.inode for file in made}) == 5


def test_protection_touches_the_file_and_not_its_content() -> None:
    file = ImageFile(STACK, IMAGE, 7, NOW)
    file.changed_before_protection_at, file.changed_at = NOW, NOW + 60
    assert (file.content_changed_at, file.changed_at) == (NOW, NOW + 60)
    files().overwrite(file, NOW + 90)
    assert file.content_changed_at == NOW + 90


def test_digests_are_of_the_content_and_differ_by_algorithm() -> None:
    one, other = ImageFile(STACK, IMAGE, 7, NOW), ImageFile(STACK, "sha256:cd", 8, NOW)
    assert one.digest() == IMAGE
    assert one.digest("md5").startswith("md5:")
    assert one.digest("md5") != other.digest("md5")
