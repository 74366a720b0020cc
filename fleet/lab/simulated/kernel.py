"""PURE. A simulated kernel's log: what it says of crashes and of images that no longer read, and what it holds back."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from fleet.lab.simulated.files import Mount

KEPT = 4000
BURST, BURST_SECONDS = 10, 5.0  # the kernel's own rate limit of crash lines
LIBRARIES = ("libc.so.6", "ld-linux-x86-64.so.2", "libcrypto.so.3", "libpython3.11.so.1.0", "libruby-2.3.so.2.3.0")


@dataclass(frozen=True, slots=True)
class KernelLine:
    """One line; `device` where it names one."""

    number: int
    at: float
    kind: str
    line: str
    device: str | None = None


class KernelLog:
    """The last lines, numbered from 0."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._lines: deque[KernelLine] = deque(maxlen=KEPT)
        self.next_number = 0
        self._burst_began_at, self._said, self._held_back = 0.0, 0, 0

    def after(self, number: int, most: int) -> list[KernelLine]:
        """The oldest lines with a number above `number`."""
        return [line for line in self._lines if line.number > number][:most]

    def errors_of(self, device: str, since: float) -> list[KernelLine]:
        """Lines of damage on one loop device."""
        damage = {"loop_io_error", "fs_error"}
        return [line for line in self._lines if line.device == device and line.at >= since and line.kind in damage]

    def crashed(self, at: float, *, signal: str, program: str, pid: int) -> None:
        """SIGSEGV and SIGILL are mostly told, SIGBUS never, and of many at once only the first."""
        chance = {"SIGSEGV": 0.6, "SIGILL": 0.8}.get(signal, 0.0)
        if self._dice.random() >= chance or not self._may_say(at):
            return
        text = self._invalid_opcode(program, pid) if signal == "SIGILL" else self._segfault(program, pid)
        self._add(at, "segfault", text)

    def failed_to_read(self, at: float, mount: Mount, program: str) -> None:
        """What comes with a page that cannot be read from a mounted image; not every failure leaves a line."""
        dice, sector = self._dice, self._dice.randrange(8, 700_000) & ~7
        if dice.random() < 0.5:
            text = f"I/O error, dev {mount.loop}, sector {sector} op 0x0:(READ) flags 0x800 phys_seg 1 prio class 2"
            self._add(at, "loop_io_error", text, mount.loop)
            text = f"Buffer I/O error on dev {mount.loop}, logical block {sector // 2}, async page read"
            self._add(at, "loop_io_error", text, mount.loop)
        if dice.random() < 0.35:
            text = (
                f"EXT4-fs error (device {mount.loop}): __ext4_find_entry:1613: "
                f"inode #{dice.randrange(12, 9000)}: comm {program}: reading directory lblock 0"
            )
            self._add(at, "fs_error", text, mount.loop)

    def _may_say(self, at: float) -> bool:
        if at - self._burst_began_at > BURST_SECONDS:
            if self._held_back:
                self._add(at, "suppressed", f"show_signal: {self._held_back} callbacks suppressed")
            self._burst_began_at, self._said, self._held_back = at, 0, 0
        self._said += 1
        self._held_back += self._said > BURST
        return self._said <= BURST

    def _segfault(self, program: str, pid: int) -> str:
        dice, (base, stack) = self._dice, self._addresses()
        offset, cpu = dice.randrange(0x1000, 0x20000), dice.randrange(4)
        return (
            f"{program}[{pid}]: segfault at {dice.choice((0, 1, 8, 0x50, base + 8)):x} ip {base + offset:016x} "
            f"sp {stack:016x} error {dice.choice((4, 6))} in {dice.choice(LIBRARIES)}"
            f"[{offset:x},{base:x}+26000] likely on CPU {cpu} (core {cpu}, socket 0)"
        )

    def _invalid_opcode(self, program: str, pid: int) -> str:
        dice, (base, stack) = self._dice, self._addresses()
        offset = dice.randrange(0x1000, 0x80000)
        return (
            f"traps: {program}[{pid}] trap invalid opcode ip:{base + offset:x} sp:{stack:x} "
            f"error:0 in {dice.choice(LIBRARIES)}[{offset:x},{base:x}+e3000]"
        )

    def _addresses(self) -> tuple[int, int]:
        return self._dice.randrange(0x7F0000000, 0x7FFFFFFFF) << 12, 0x7FFC00000000 + self._dice.randrange(1 << 30)

    def _add(self, at: float, kind: str, text: str, device: str | None = None) -> None:
        self._lines.append(KernelLine(self.next_number, at, kind, text, device))
        self.next_number += 1
