"""Targets: parse the texts by which users name units, sums and classes into objectives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kerasviz.errors import UsageError
from kerasviz.network.lookup import attention_heads, tap_of_weight
from kerasviz.optvis.objectives.direction import latents, of_file
from kerasviz.optvis.objectives.direction_files import (
    FileWords,
    file_words,
    read_directions,
    row_numbers,
)
from kerasviz.optvis.objectives.grammar import GRAMMAR as GRAMMAR
from kerasviz.optvis.objectives.objective import (
    Objective,
    attributed,
    blur,
    caricature,
    channel,
    content,
    head,
    inversion,
    l1,
    layer,
    logit,
    neuron,
    probability,
    random_direction,
    style,
    style_transfer,
    total_variation,
)

if TYPE_CHECKING:
    from kerasviz.network.network import Network

_UNITS = re.compile(
    r"(?P<tap>.+?):(?P<first>\d+|\*)(?:-(?P<last>\d+))?"
    r"(?:@(?P<at>center|class|-?\d+(?:,-?\d+){0,2}))?"
)
_HEAD = re.compile(r"(?P<tap>.+?):head-(?P<number>\d+)(?:/(?P<count>\d+))?")
_CLASSES = re.compile(r"(?P<first>\d+)-(?P<last>\d+)|\*")
_RANDOM = re.compile(r"(?P<tap>.+?):random-(?P<seed>\d+)")
_WEIGHT = "weight:"
#: How a direction is written, for messages.
GIVEN_DIRECTION = "LAYER@FILE.npy or LAYER:random-7"
#: Targets that compare a layer with that of a photo.
_OF_PHOTOS = {
    "caricature": caricature,
    "inversion": inversion,
    "content": content,
    "style": style,
}
_PENALTIES = {"l1": l1, "tv": total_variation, "blur": blur}
#: The target whose score a caricature is about, to the end of its term.
_OF = re.compile(r"caricature:(?P<tap>[^#]+)#of=(?P<target>.+)")
_COSINE = re.compile(r"(?P<rest>.+)#cosine=(?P<power>[^#]*)")
#: The file of a target, in quotes where its name has " - " or " + " inside.
_QUOTED = re.compile(r"@('[^']*'|\"[^\"]*\")")
#: Returns where the file that a target names lies, or raises :class:`UsageError`.
FindFile = Callable[[FileWords], Path]
_FACTOR = re.compile(r"(?P<factor>\d+(?:\.\d*)?|\.\d+)\s*\*\s*(?P<rest>.+)")


@dataclass(frozen=True)
class Target:
    """An objective with the text that names it."""

    text: str
    objective: Objective


def parse_targets(texts: list[str] | tuple[str, ...], net: Network) -> list[Target]:
    """Parse several targets and expand ranges, in their order and without duplicates."""
    targets: dict[str, Target] = {}
    for text in texts:
        for target in parse_target(text, net):
            targets.setdefault(target.text, target)
    return list(targets.values())


def path_of(words: FileWords) -> Path:
    """Return the path of a file that a target names, from the folder of this process on."""
    return Path(words.path)


def parse_target(text: str, net: Network, *, find: FindFile = path_of) -> list[Target]:
    """Parse one target (see :data:`GRAMMAR`) against a network: one entry per picture.

    ``find`` returns where a file lies, or refuses it before it is looked at. Raises
    :class:`UsageError` for an unknown tap (near ones listed), a unit out of range, an unknown class
    and a sum of ranges.
    """
    pieces = _split(text.strip(), r"\s+([+-])\s+")
    sign, first = 1.0, pieces[0]
    if first.startswith("-"):
        sign, first = -1.0, first[1:].strip()
    terms = [(sign, first)] + [
        (1.0 if op == "+" else -1.0, piece)
        for op, piece in zip(pieces[1::2], pieces[2::2], strict=True)
    ]
    parsed = [_term(weight, piece, net, find) for weight, piece in terms]
    if len(parsed) == 1:
        return parsed[0]
    if any(len(p) != 1 for p in parsed):
        raise UsageError(f"target {text!r}: a sum takes single units, not ranges")
    first_target, *others = (targets[0] for targets in parsed)
    name = " ".join([first_target.text, *(_joined(target.text) for target in others)])
    return [Target(name, sum((target.objective for target in others), first_target.objective))]


def _split(text: str, pattern: str) -> list[str]:
    """Split a sum into terms and the signs between them, but not inside of a quoted file."""
    masked = _QUOTED.sub(lambda match: "@" + "_" * len(match[1]), text)
    pieces, end = [], 0
    for match in re.finditer(pattern, masked):
        pieces += [text[end : match.start()], match[1]]
        end = match.end()
    return [*pieces, text[end:]]


def _joined(text: str) -> str:
    return f"- {text[1:]}" if text.startswith("-") else f"+ {text}"


def _term(sign: float, piece: str, net: Network, find: FindFile) -> list[Target]:
    factor, prefix = sign, "-" if sign < 0 else ""
    scaled = _FACTOR.fullmatch(piece.strip())
    if scaled:
        factor *= float(scaled["factor"])
        prefix += f"{float(scaled['factor']):g}*"
        piece = scaled["rest"]
    atoms = _atom(piece.strip(), net, find)
    return [
        replace(t, text=prefix + t.text, objective=t.objective * factor if prefix else t.objective)
        for t in atoms
    ]


def _atom(text: str, net: Network, find: FindFile) -> list[Target]:
    match = _OF.fullmatch(text)
    if match is not None and text not in net.taps:
        return _attributed(match["tap"].strip(), match["target"].strip(), net, find)
    match = _COSINE.fullmatch(text)
    if match is not None and text not in net.taps:
        return _by_cosine(_atom(match["rest"].strip(), net, find), match["power"], text)
    if (found := _file_of(text, net)) is not None:
        return _directions(*found, net, find)
    kind, colon, rest = text.partition(":")
    if colon and kind in ("logit", "prob") and not _has_other_units(net, kind):
        return _classes(kind, rest.strip(), net)
    if (text == "style" or (colon and kind in _OF_PHOTOS)) and text not in net.taps:
        return _of_photo(kind, rest.strip(), net)
    if colon and kind == "penalty" and kind not in net.taps:
        if rest not in _PENALTIES:
            raise UsageError(f"target {text!r}: penalties are {', '.join(_PENALTIES)}")
        return [Target(text, _PENALTIES[rest](1.0))]
    for pattern, make in ((_RANDOM, _random), (_HEAD, _head), (_UNITS, _units)):
        match = pattern.fullmatch(text)
        # A TensorFlow tensor name such as "conv:1" may itself be a tap of the network.
        if match is not None and (text not in net.taps or match["tap"] in net.taps):
            return make(text, match, net)
    if text in net.taps or text.startswith(_WEIGHT):
        return [Target(text, layer(_tap(text, net)))]
    if net.taps[kind] and kind != text:  # "mixed4c:x" is about mixed4c, if it exists
        raise UsageError(f"target {text!r}: expected NAME:UNIT, NAME:FIRST-LAST or NAME:*")
    return [Target(text, layer(text))]


def _file_of(text: str, net: Network) -> tuple[str, FileWords] | None:
    """Split a target into its tap and the file of its direction; ``None`` where it has no file.

    The first ``@`` behind a tap counts: names of taps and of files may have others.
    """
    if text in net.taps or "@" not in text:
        return None
    cuts = [i for i, letter in enumerate(text) if letter == "@"]
    cut = next((i for i in cuts if text[:i] in net.taps), cuts[0])
    words = file_words(text[cut + 1 :])
    if words is None:
        if text[:cut] in net.taps:
            raise UsageError(
                f"target {text!r}: expected {text[:cut]}:UNIT@PLACE, or a file that ends in .npy, "
                ".npz or .safetensors"
            )
        return None
    return text[:cut], words


def _directions(name: str, words: FileWords, net: Network, find: FindFile) -> list[Target]:
    """Read the directions of a tap from a file."""
    path = find(words)
    tap = _tap(name, net)
    channels = _channels(net, tap)
    if words.option == "latent":
        return _latents(name, tap, words, path, channels)
    if words.option:
        raise UsageError(
            f"target {name}@{words.path}: unknown #{words.option}; give #cosine=POWER or "
            "#latent=NUMBER"
        )
    targets = []
    for found in read_directions(words, path):
        if found.vector.shape[-1] != channels:
            raise UsageError(
                f"direction {found.words}: {found.vector.shape[-1]} numbers, {name} has {channels} "
                "channels"
            )
        targets.append(Target(f"{name}@{found.words}", of_file(tap, found)))
    return targets


def _latents(name: str, tap: str, words: FileWords, path: Path, channels: int) -> list[Target]:
    """Read latents of a sparse autoencoder."""
    text = f"{name}@{FileWords(words.path).named(None)}#latent="
    if words.key or words.rows:
        raise UsageError(f"target {text}{words.value}: a latent takes no :KEY and no [ROW]")
    numbers = row_numbers(words.value, text[:-1])
    targets = []
    for number, objective in zip(numbers, latents(tap, path, numbers), strict=True):
        width = len(objective.terms[0].vector)
        if width != channels:
            raise UsageError(
                f"target {text}{number}: the autoencoder reads {width} numbers, {name} has "
                f"{channels} channels"
            )
        targets.append(Target(f"{text}{number}", objective))
    return targets


def _by_cosine(targets: Sequence[Target], power: str, text: str) -> list[Target]:
    """Return directions whose score has a power of the cosine as a factor."""
    try:
        number = float(power)
    except ValueError:
        raise UsageError(f"target {text!r}: #cosine={power}: give a number such as 2") from None
    found = []
    for target in targets:
        (term, *others) = target.objective.terms
        if term.kind not in ("direction", "caricature") or others:
            raise UsageError(
                f"target {text!r}: #cosine is for directions, as {GIVEN_DIRECTION}, and caricatures"
            )
        objective = Objective((replace(term, cosine=number),))
        found.append(Target(f"{target.text}#cosine={number:g}", objective))
    return found


def _main_maps(net: Network) -> list[str]:
    """Return the main layers that are maps with a fixed number of channels, else all maps."""
    maps = [n for n, tap in net.taps.items() if len(tap.shape or ()) == 4 and tap.channels]
    main = [name for name in net.main_taps if net.taps[name].name in maps]
    if not maps:
        raise UsageError("target 'style': the network has no layer that is a map")
    return main or maps


def _of_photo(kind: str, name: str, net: Network) -> list[Target]:
    if kind == "style" and not name:
        return [Target(kind, style_transfer(_main_maps(net)))]
    tap = _tap(name, net)
    if net.taps[tap].channels is None:
        raise UsageError(f"target {kind}:{name}: the layer has no fixed number of channels")
    return [Target(f"{kind}:{name}", _OF_PHOTOS[kind](tap))]


def _attributed(name: str, text: str, net: Network, find: FindFile) -> list[Target]:
    """Return the caricatures of a layer that are about the scores of targets."""
    tap = _tap(name, net)
    if net.taps[tap].channels is None:
        raise UsageError(f"target caricature:{name}: the layer has no fixed number of channels")
    return [
        Target(f"caricature:{name}#of={target.text}", attributed(tap, target.objective))
        for target in _atom(text, net, find)
    ]


def _tap(name: str, net: Network) -> str:
    """Return the name of a tap; ``weight:NAME`` is the tap that is computed with that weight."""
    if name.startswith(_WEIGHT) and name not in net.taps:
        return tap_of_weight(net, name.removeprefix(_WEIGHT))
    return name


def _classes(kind: str, text: str, net: Network) -> list[Target]:
    """Expand a class, or a range of classes, unless its text is a label."""
    make = logit if kind == "logit" else probability
    match = _CLASSES.fullmatch(text)
    if match is None or net.classes.is_label(text):
        return [Target(f"{kind}:{text}", make(net.class_index(text)))]
    count = net.class_count
    if text == "*" and count is None:
        raise UsageError(f"target {kind}:*: the number of classes is not fixed; give {kind}:0-9")
    first = 0 if text == "*" else int(match["first"])
    last = (count or 0) - 1 if text == "*" else int(match["last"])
    if first > last:
        raise UsageError(
            f"target {kind}:{text}: the first class is above the last; give {kind}:{last}-{first}"
        )
    net.class_index(str(last))
    return [Target(f"{kind}:{k}", make(k)) for k in range(first, last + 1)]


def _has_other_units(net: Network, name: str) -> bool:
    """Return whether a layer has the name of a kind of target, and other units than classes."""
    if name not in net.taps:
        return False
    tap, logits = net.taps[name], net.classes.logits
    classes = net.taps[logits].channels if logits is not None and logits in net.taps else None
    return tap.channels != classes


def _random(text: str, match: re.Match[str], net: Network) -> list[Target]:
    tap = _tap(match["tap"], net)
    return [Target(text, random_direction(tap, _channels(net, tap), int(match["seed"])))]


def _head(text: str, match: re.Match[str], net: Network) -> list[Target]:
    """Return the target of an attention head, of a number of heads that the graph may tell."""
    tap, number = _tap(match["tap"], net), int(match["number"])
    if match["count"]:
        if (count := int(match["count"])) and _channels(net, tap) % count == 0:
            return [Target(text, head(tap, number, count))]
        raise UsageError(
            f"target {text!r}: {match['tap']} has {_channels(net, tap)} channels, which is no "
            f"multiple of {match['count']}"
        )
    heads = attention_heads(net, tap)
    if heads is None:
        raise UsageError(
            f"target {text!r}: the graph shows no attention heads at {match['tap']}; name the "
            f"layer where they are joined, or give their number: {text}/N"
        )
    joined, count = heads
    return [Target(text, head(tap if joined == net.taps[tap].name else joined, number, count))]


def _units(text: str, match: re.Match[str], net: Network) -> list[Target]:
    """Expand a range of channels or neurons."""
    name, tap = match["tap"], _tap(match["tap"], net)
    channels = _channels(net, tap)
    first = 0 if match["first"] == "*" else int(match["first"])
    last = channels - 1 if match["first"] == "*" else int(match["last"] or first)
    if first > last:
        raise UsageError(f"target {text!r}: the first unit is above the last; give {last}-{first}")
    if last >= channels:
        raise UsageError(f"target {text!r}: {name} has the units 0 to {channels - 1}")
    if not match["at"]:
        return [Target(f"{name}:{u}", channel(tap, u)) for u in range(first, last + 1)]
    position = _position(match["at"], tap, first, net)
    return [
        Target(f"{name}:{u}@{match['at']}", neuron(tap, u, position))
        for u in range(first, last + 1)
    ]


def _position(text: str, tap: str, unit: int, net: Network) -> tuple[int, ...] | None:
    """Return the position after ``@``, checked as far as the image size does not matter."""
    from kerasviz.network.positions import positions_of, special_tokens

    if text == "center":
        return None
    positions = positions_of(net, tap)
    if text == "class":
        if len(positions.extent) != 1 or not special_tokens(net, tap):
            raise UsageError(f"{positions.describe()} and no class token; give {tap}:{unit}@center")
        return (0,)
    position = tuple(int(number) for number in text.split(","))
    if not positions.free:
        positions.index(position, unit)
    return position


def _channels(net: Network, tap: str) -> int:
    channels = net.taps[tap].channels
    if channels is None:
        name = net.taps[tap].name
        raise UsageError(f"tap {name!r} has no fixed number of channels; name another tap")
    return channels


def negated(text: str) -> str:
    """Return the text of the opposite of a target, itself a target.

    >>> negated("mixed4c:1"), negated("-a:1"), negated("a:10 - 0.5*a:11")
    ('-mixed4c:1', 'a:1', '-a:10 + 0.5*a:11')
    """
    first, *rest = _split(text, r" ([+-]) ")
    opposite = first[1:] if first.startswith("-") else f"-{first}"
    for sign, piece in zip(rest[::2], rest[1::2], strict=True):
        opposite += f" {'-' if sign == '+' else '+'} {piece}"
    return opposite
