import pytest

from fleet.hostkit import kernel, linux

HEAD = "4,17,2000000,-;"
LINES = [
    ("I/O error, dev loop3, sector 135168 op 0x0:(READ) flags 0x800 phys_seg 1", "loop_io_error", "loop3", None),
    ("Buffer I/O error on dev loop3, logical block 67584, async page read", "loop_io_error", "loop3", None),
    (
        "EXT4-fs error (device loop3): __ext4_find_entry:1613: inode #14: comm x: reading",
        "fs_error",
        "loop3",
        None,
    ),
    ("EXT4-fs warning (device loop3): htree_dirblock_to_tree:1051: inode #453", "fs_error", "loop3", None),
    ("SQUASHFS error: Unable to read page, block 8ac54a, size b859", "fs_error", None, None),
    ("show_signal: 100 callbacks suppressed", "suppressed", None, None),
    ("blk_print_req_error: 1646 callbacks suppressed", "suppressed", None, None),
    ("python3[19721]: segfault at 8 ip 00007f7ca91b1f24 sp 00007ffc010c8a60 error 4 in ld", "segfault", None, 19721),
    ("traps: python3[453] trap invalid opcode ip:7f5e7ee823d8 sp:7ffe28951818 error:0", "segfault", None, 453),
]


@pytest.mark.parametrize(("text", "kind", "device", "pid"), LINES)
def test_lines_of_interest(text: str, kind: str, device: str | None, pid: int | None) -> None:
    line = kernel.parse(HEAD + text + "\n SUBSYSTEM=block\n", booted_at=1000.0)
    assert line == kernel.KernelLine(17, 1002.0, kind, text, device, pid)


@pytest.mark.parametrize("record", ["6,1,5,-;usb 1-1: new device", "", "garbage", "6,x,5,-;I/O error, dev loop3,"])
def test_other_lines(record: str) -> None:
    assert kernel.parse(record, booted_at=0.0) is None


def said(text: str) -> list[kernel.KernelLine]:
    line = kernel.parse(HEAD + text, booted_at=0.0)
    assert line
    return [line]


def test_a_line_belongs_to_the_host_of_its_device_or_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux, "loops", lambda: {"loop3": "/a", "loop4": "/b"})
    damage, death = said(LINES[0][0]), said(LINES[7][0])
    assert [entry["device"] for entry in kernel.concerning(damage, {"loop3"}, set())] == ["loop3"]
    assert kernel.concerning(damage, {"loop4"}, set()) == []
    assert len(kernel.concerning(death, set(), {19721})) == 1
    assert kernel.concerning(death, {"loop3"}, {1}) == []


def test_a_line_that_names_nobody_counts_only_when_nobody_else_could_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    squashfs = said(LINES[4][0])
    monkeypatch.setattr(linux, "loops", lambda: {"loop3": "/a", "loop4": "/b"})
    assert kernel.concerning(squashfs, {"loop3"}, set()) == []
    assert len(kernel.concerning(squashfs, {"loop3", "loop4"}, set())) == 1
    assert kernel.concerning(squashfs, set(), set()) == []
