"""Builds a lab's stack images: real programs and libraries, packed as each version of the tools packs them.

An image is named by the digest of its tree, for the same tree packed by other tools gives another file.
"""

import hashlib
import os
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fleet.lab.real import packing
from fleet.lab.real.command import run

HERE = Path(__file__).parent
PARTS = 16
STRIDE = 1024  # bytes from one piece of code to the next
PAGE = 4096
MAGIC = b"PART"
TEXT_LINES = 24000
BARE_DIRECTORIES = ("app", "dev", "etc", "lib64", "proc", "tmp", "usr/lib/stack", "usr/share/stack")


@dataclass(frozen=True)
class StackVersion:
    """One version of a stack; `kind` is the file system its image is packed as."""

    stack: str
    version: str
    kind: str


@dataclass(frozen=True)
class Registry:
    """Where the lab's deploy tool fetches from."""

    folder: Path

    def packed(self, image: str, tools: str) -> Path:
        """The file that tools of that version fetch for an image."""
        return self.folder / image.removeprefix("sha256:") / ("old.img" if tools.startswith("1.") else "new.img")

    @property
    def program(self) -> Path:
        """The program that the lab's dynos run."""
        return self.folder / "dyno"

    def publish(self, version: StackVersion, tree: Path) -> str:
        """Pack a version in both ways; returns the image's name."""
        image = name_of(tree)
        folder = self.folder / image.removeprefix("sha256:")
        folder.mkdir(parents=True, exist_ok=True)
        for generation in packing.GENERATIONS:
            if not (folder / f"{generation}.img").exists():
                packing.pack(version.kind, generation, tree, folder / f"{generation}.img")
        return image


def build_registry(folder: Path, versions: list[StackVersion]) -> tuple[Registry, list[str]]:
    """Compile, lay out and pack whatever is not there yet; returns the images' names in the same order."""
    registry = Registry(folder / "registry")
    registry.folder.mkdir(parents=True, exist_ok=True)
    parts = _compile(folder / "build")
    shutil.copy2(folder / "build" / "dyno", registry.program)
    names = []
    for version in versions:
        tree = folder / "build" / f"{version.stack}-{version.version}"
        _lay_out(tree, version, parts, registry.program)
        names.append(registry.publish(version, tree))
    return registry, names


def name_of(tree: Path) -> str:
    """The digest of a tree: every path, with its mode and content."""
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        digest.update(f"{path.relative_to(tree)} {path.stat().st_mode:o}\n".encode())
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()}"


def _compile(build: Path) -> list[Path]:
    sources = (HERE / "dyno.c").read_bytes() + (HERE / "part.c").read_bytes()
    stamp, digest = build / "sources", hashlib.sha256(sources).hexdigest()
    parts = [build / f"part{number:02d}.code" for number in range(PARTS)]
    if stamp.exists() and stamp.read_text() == digest:
        return parts
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    run(["gcc", "-O1", "-s", "-o", str(build / "dyno"), str(HERE / "dyno.c")])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_compile_part, range(PARTS), parts))
    stamp.write_text(digest)
    return parts


def _compile_part(number: int, target: Path) -> None:
    """Code as a runtime keeps it to be mapped: a table of where its pieces are, then their bytes."""
    compiled, code = target.with_suffix(".o"), target.with_suffix(".text")
    options = ["-O1", "-ffreestanding", "-fPIC", f"-DPART={number}", f"-DSTRIDE={STRIDE}"]
    run(["gcc", *options, "-c", "-o", str(compiled), str(HERE / "part.c")])
    run(["objcopy", "-O", "binary", "-j", ".text", str(compiled), str(code)])
    content = code.read_bytes()
    offsets = range(PAGE, PAGE + len(content), STRIDE)
    table = MAGIC + struct.pack(f"={len(offsets) + 1}I", len(offsets), *offsets)
    target.write_bytes(table.ljust(PAGE, b"\0") + content)


def _lay_out(tree: Path, version: StackVersion, parts: list[Path], program: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    for name in BARE_DIRECTORIES:
        (tree / name).mkdir(parents=True)
    for device in ("null", "urandom"):
        (tree / "dev" / device).touch()
    (tree / "etc" / "stack-release").write_text(f"{version.stack} {version.version}\n")
    text = "".join(f"{number}: what the stack's packages say of themselves\n" for number in range(TEXT_LINES))
    (tree / "usr/share/stack/packages.txt").write_text(text)
    for library in _libraries(program):
        target = tree / str(library).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library.resolve(), target)
    for part in parts:
        shutil.copy2(part, tree / "usr/lib/stack" / part.name)
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755)
        os.utime(path, (0, 0))


def _libraries(program: Path) -> list[Path]:
    """What `ldd` names, the loader included."""
    words = run(["ldd", str(program)]).decode().split()
    return [Path(word) for word in words if word.startswith("/")]
