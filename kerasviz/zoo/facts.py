"""Facts about a network's input and classes, and which source of them counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.input_spec import InputSpec

if TYPE_CHECKING:
    from kerasviz.network.network import Network


@dataclass(frozen=True)
class Facts:
    """Hold what is known about the input and the classes, and where each fact is from.

    ``size`` is the (height, width) of the images that the network was made for; ``axes`` and
    ``rate`` are those of signals. ``origins`` names the source of each by its name, that of the
    input description under ``input``.
    """

    input_spec: InputSpec | None = None
    labels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    axes: str | None = None
    rate: int | None = None


def joined(sources: Iterable[Facts]) -> Facts:
    """Return each fact from the first source that has it.

    >>> joined([Facts(), Facts(labels=("a", "b"), origins={"labels": "config.json"})]).origins
    {'labels': 'config.json'}
    """
    facts = Facts()
    for source in sources:
        missing = {
            "input": facts.input_spec is None and source.input_spec is not None,
            "labels": not facts.labels and bool(source.labels),
            "size": facts.size is None and source.size is not None,
            "axes": facts.axes is None and source.axes is not None,
            "rate": facts.rate is None and source.rate is not None,
        }
        taken = {name: source.origins[name] for name, is_missing in missing.items() if is_missing}
        facts = Facts(
            facts.input_spec or source.input_spec,
            facts.labels or source.labels,
            facts.size or source.size,
            {**facts.origins, **taken},
            facts.axes or source.axes,
            facts.rate or source.rate,
        )
    return facts


#: What the origins of facts begin with that a person gave.
GIVEN = ("given", "command line", "preset", "remembered", "card of")


def without_misfits(net: Network) -> Network:
    """Leave out facts of files that do not fit a network; its origins say so under ``left out``.

    Facts that a person gave stay. More labels than classes, given as an argument, raise
    :class:`UsageError`.
    """
    notes, origin = [], net.origins.get("labels", "")
    if net.labels and (note := _misfit_of_labels(net)):
        surplus = len(net.labels) > (_class_count(net) or 0)
        if surplus and origin == "given":
            raise UsageError(f"{net.name}: {note}; give a label for each class, in their order")
        if not origin.startswith(GIVEN) or (surplus and origin.startswith("remembered")):
            notes.append(f"labels of {origin}: {note}")
            net = replace(net, labels=(), origins=_without(net.origins, "labels"))
    origin = net.origins.get("input", "")
    if net.input_spec is not None and not origin.startswith(GIVEN):
        note = _misfit_of_input(net, net.input_spec)
        if note:
            notes.append(f"input of {origin}: {note}")
            net = replace(net, input_spec=None, origins=_without(net.origins, "input"))
    return replace(net, origins={**net.origins, "left out": "; ".join(notes)}) if notes else net


def _without(origins: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in origins.items() if key != name}


def _class_count(net: Network) -> int | None:
    try:
        return net.class_count
    except UsageError:
        return None


def _misfit_of_labels(net: Network) -> str:
    count = _class_count(net)
    if count is None or count == len(net.labels):
        return ""
    return f"{len(net.labels)} names for {count} classes"


def _misfit_of_input(net: Network, spec: InputSpec) -> str:
    try:
        channels, port = net.channels, net.image_port
    except ModelError:  # no image
        return ""
    if spec == net.image_input.default_spec:
        return ""
    entries = max(len(spec.mean), len(spec.std))
    if entries not in (1, channels):
        return f"mean and std of {entries} channels for images of {channels}"
    low, high = spec.range
    if port.dtype.is_integer and high - low < 16:
        return f"{low:g} to {high:g} for an input of whole numbers"
    return ""
