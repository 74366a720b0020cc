"""Packs a lab's stack as each generation of the tools does: the same tree, another place for most of its blocks.

Both begin with the libraries, so these read the same after one packing was written over the other. The old tools make
an image by changing the one before, which leaves a hole, and parts of the stack behind it; the new ones begin afresh
and leave no room. So of the old image's parts most have other bytes of the new image at their place, and the last ones
lie behind its end.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fleet.lab.real.command import run

BLOCK = 4096
ROOM_BLOCKS = 64  # for the file system's own blocks, beyond one for each thousand of a file
HOLE_BLOCKS = 512
PARTS_BEHIND_THE_HOLE = 4
FEATURES = "^has_journal,^metadata_csum,^64bit,^extent,^resize_inode"
EXT4_OPTIONS = ("-O", FEATURES, "-b", str(BLOCK), "-m", "0", "-N", "128")
SQUASHFS = {"old": ("-b", "131072"), "new": ("-b", "65536")}
GENERATIONS = ("old", "new")


def pack(kind: str, generation: str, tree: Path, target: Path) -> None:
    """Make `target` of `tree` as `generation` packs that `kind` of file system; appears as a whole."""
    spare = target.with_suffix(".part")
    spare.unlink(missing_ok=True)
    (_pack_ext4 if kind == "ext4" else _pack_squashfs)(generation, tree, spare)
    spare.replace(target)


def _pack_ext4(generation: str, tree: Path, target: Path) -> None:
    """Written file by file, for `mkfs -d` takes them in whatever order the machine's own file system has."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    parts = [path for path in files if path.suffix == ".code"]
    texts = [path for path in files if path.suffix == ".txt"]
    first = [path for path in files if path not in parts and path not in texts]
    blocks = ROOM_BLOCKS + sum(_blocks(path) for path in files)
    if generation == "old":
        blocks += HOLE_BLOCKS + ROOM_BLOCKS
        order = [*first, *parts[:-PARTS_BEHIND_THE_HOLE], *texts, None, *parts[-PARTS_BEHIND_THE_HOLE:]]
    else:
        order = [*first, *texts, *reversed(parts)]
    hole = target.with_suffix(".hole")
    hole.write_bytes(b"\xff" * (HOLE_BLOCKS * BLOCK))
    run(["truncate", "--size", str(blocks * BLOCK), str(target)])
    run(["mkfs.ext4", "-q", *EXT4_OPTIONS, str(target)])
    run(["debugfs", "-w", "-f", "-", str(target)], feed="\n".join(_commands(tree, order, hole)).encode())
    hole.unlink()


def _commands(tree: Path, order: Sequence[Path | None], hole: Path) -> Iterator[str]:
    for folder in sorted(path for path in tree.rglob("*") if path.is_dir()):
        yield f"mkdir /{folder.relative_to(tree)}"
    for path in order:
        yield f"write {path} /{path.relative_to(tree)}" if path else f"write {hole} /hole"
    if None in order:
        yield "rm /hole"


def _blocks(path: Path) -> int:
    blocks = -(-path.stat().st_size // BLOCK)
    return blocks + 1 + blocks // 1000


def _pack_squashfs(generation: str, tree: Path, target: Path) -> None:
    order = target.with_suffix(".order")
    ranks = {"old": 1, "new": -1}
    parts = sorted(tree.rglob("*.code"))
    lines = [f"{path.relative_to(tree)} {ranks[generation] * place * 100}" for place, path in enumerate(parts)]
    order.write_text("\n".join(lines) + "\n")
    options = ["-noappend", "-quiet", "-no-progress", "-sort", str(order)]
    run(["mksquashfs", str(tree), str(target), *options, *SQUASHFS[generation]])
    order.unlink()
