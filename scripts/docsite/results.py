"""What the commands of a page leave: pictures and printed text, kept until a command changes."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from docsite.commands import Size, run
from docsite.pages import Block
from docsite.photos import write_crops, write_photos

#: Pixels beyond which a picture is shown smaller.
WIDEST = 720
QUALITY = 90


@dataclass(frozen=True)
class Shown:
    """A picture of a page: the address of its file in the site, its size, what it shows."""

    file: str
    size: tuple[int, int]
    caption: str


@dataclass
class Results:
    """Runs the commands of pages once and keeps the results in a folder.

    ``code`` is a checksum of what decides the results beside the command; ``size`` shortens them.
    """

    folder: Path
    site: Path
    code: str
    size: Size | None = None
    made: int = field(default=0, init=False)

    def figures(self, block: Block, files: dict[str, str], up: str) -> str:
        """Return HTML with the pictures of a block's commands, a row for each command."""
        rows = [self._pictures(command, files) for command in block.commands]
        targets = {shown.caption.partition("\n")[0] for row in rows for shown in row}
        parts = []
        for name, row in zip(_distinctions(block.commands, targets), rows, strict=True):
            heading = f"<p><code>{html.escape(name)}</code></p>" if name else ""
            tiles = "".join(_figure(shown, up) for shown in row)
            parts.append(f'<div class="row">{heading}<div class="tiles">{tiles}</div></div>')
        return f'<div class="pictures">{"".join(parts)}</div>'

    def output(self, block: Block, files: dict[str, str]) -> str:
        """Return what a block's commands print."""
        return "".join(self._run(command, files)[1]["printed"] for command in block.commands)

    def _pictures(self, command: str, files: dict[str, str]) -> list[Shown]:
        folder, result = self._run(command, files)
        shown = []
        for file, caption in result["pictures"]:
            with Image.open(folder / file) as image:
                image = image.convert("RGB")
                if image.width > 2 * WIDEST:
                    image.thumbnail((2 * WIDEST, image.height))
                name = f"pictures/{folder.name}-{len(shown)}.webp"
                path = self.site / name
                path.parent.mkdir(parents=True, exist_ok=True)
                image.save(path, "WEBP", quality=QUALITY, method=6)
                shown.append(Shown(name, image.size, caption))
        if not shown:
            raise RuntimeError(f"{command}: no picture was made")
        return shown

    def _run(self, command: str, files: dict[str, str]) -> tuple[Path, dict[str, Any]]:
        named = {name: text for name, text in files.items() if name in command}
        key = json.dumps([command, named, self.code, vars(self.size) if self.size else None])
        folder = self.folder / hashlib.sha256(key.encode()).hexdigest()[:16]
        result = folder / "result.json"
        if not result.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=self.folder))
            for name, text in named.items():
                (draft / name).write_text(text)
            if "photos" in command:
                write_photos(draft / "photos")
            if "--images crops" in command:
                write_crops(draft / "crops")
            extra = ("--json",) if command.startswith("kerasviz render") else ()
            printed = run(command, draft, self.size, extra)
            pictures = _rendered(printed, draft) if extra else _drawn(command, draft)
            (draft / "result.json").write_text(
                json.dumps({"printed": printed, "pictures": pictures})
            )
            with contextlib.suppress(OSError):  # another process has run the same command
                draft.rename(folder)
            self.made += 1
        return folder, json.loads(result.read_text())


def _rendered(printed: str, folder: Path) -> list[tuple[str, str]]:
    """Return the files and captions of what ``kerasviz render --json`` reports, stages first."""
    report = json.loads(printed)
    out = folder / report["folder"]
    pictures = []
    for picture in report["pictures"]:
        target, file = picture["target"], out / picture["file"]
        for stage in sorted(out.glob(f"{file.stem}.step*.png")):
            step = int(stage.stem.rpartition(".step")[2])
            pictures.append((stage, f"{target}\nafter {step} steps"))
        pictures.append((file, f"{target}\nscore {picture['score']:.3g}"))
    return [(str(path.relative_to(folder)), caption) for path, caption in pictures]


def _drawn(command: str, folder: Path) -> list[tuple[str, str]]:
    """Return the figures of ``kerasviz figures NAME... --out DIR``, or those of other commands."""
    words = shlex.split(command)
    if "--out" not in words:
        return []
    out = words[words.index("--out") + 1]
    if words[1] == "examples":
        return _spectrum(folder, out)
    if words[1] == "explain":
        return [(f"{out}/{p.name}", p.stem) for p in sorted((folder / out).glob("*.png"))]
    if words[1] != "figures":
        return []
    return [(f"{out}/{w}.png", w) for w in words[2:] if (folder / out / f"{w}.png").is_file()]


def _spectrum(folder: Path, out: str) -> list[tuple[str, str]]:
    """Return the spectrum and the examples of the unit that tells classes apart best."""
    from kerasviz.examples import ExampleIndex
    from kerasviz.examples.folder import spectrum_file, unit_file

    index = ExampleIndex(folder / out)
    tap = index.taps[0]
    unit = int(np.nanargmax(index.array(tap, "selectivity")))
    found = index.unit(tap, unit)
    about = f"{tap}:{unit}\n"
    ends = f"activation {found.bins[0].low:.3g} on the left, {found.bins[-1].high:.3g} on the right"
    return [
        (f"{out}/{spectrum_file(tap, unit)}", f"{about}spectrum, {ends}"),
        (f"{out}/{unit_file(tap, unit)}", f"{about}maximum, slightly positive, negative, minimum"),
    ]


def _distinctions(commands: list[str], targets: set[str]) -> list[str]:
    """Return the options of each command that the others do not have; captions name targets."""
    words = [shlex.split(command) for command in commands]
    shared = set.intersection(*map(set, words)) | targets
    names = [shlex.join(word for word in each if word not in shared) for each in words]
    return [name or "(as it is)" for name in names] if any(names) else names


def _figure(shown: Shown, up: str) -> str:
    width, height = shown.size
    scale = min(1.0, WIDEST / width)
    title, _, detail = shown.caption.partition("\n")
    caption = f"<code>{html.escape(title)}</code>"
    if detail:
        caption += f"<br>{html.escape(detail)}"
    return (
        f'<figure><img src="{up}{shown.file}" width="{width * scale:.0f}" '
        f'height="{height * scale:.0f}" alt="{html.escape(shown.caption.replace(chr(10), ", "))}" '
        f'loading="lazy"><figcaption>{caption}</figcaption></figure>'
    )
