"""Load a model in memory, a file or a zoo name as a Network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kerasviz.errors import ModelError, UsageError, near, whole_number
from kerasviz.importers.imported import Imported
from kerasviz.importers.memory import MemoryOptions, read_object
from kerasviz.io.download import sha256_of
from kerasviz.network.axes import axes_of
from kerasviz.network.front_ends.wrapped import with_front_end
from kerasviz.network.input_spec import InputSpec, InputWords
from kerasviz.network.network import Identity, Network
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.beside import facts_beside
from kerasviz.zoo.cache import cached, find_archive, read_embedded
from kerasviz.zoo.facts import Facts, joined, without_misfits
from kerasviz.zoo.labels import labels_given, labels_of
from kerasviz.zoo.locate import locate
from kerasviz.zoo.model_card import Card, card_for_checksum, cards, packaged_cards
from kerasviz.zoo.remembered import remembered
from kerasviz.zoo.value_range import with_range


@named_arguments()
def load(  # noqa: PLR0913 - the options of the command
    source: Any,
    example_input: Any = None,
    *,
    preprocess: str | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    channel_order: str | None = None,
    labels: Iterable[str] | str | os.PathLike[str] | None = None,
    input_spec: InputSpec | None = None,
    axes: str | None = None,
    rate: int | None = None,
    range_: Any = None,
    front_end: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    signature: str | None = None,
    importer: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> Network:
    """Load a network: a model in memory, a file, or one of the zoo or the Hugging Face Hub.

    The input description, the labels and the size come, in this order, from the arguments, the
    model card, what was remembered for the file, its metadata, and the files beside it;
    :attr:`Network.origins` says which. Facts of files that do not fit the network are left out.

    A network is a snapshot: it keeps the weights that a model in memory has now, and warns when
    the model has others. Such a network is identified by the SHA-256 of its structure and weights,
    so that its pictures can be verified with the file that the model is saved to.

    Args:
        source: A ``keras.Model`` of Keras 3 or ``tf_keras``, an ``onnx.ModelProto``, a
            ``tf.Module``, what ``tf.saved_model.load`` returns, or a ``torch.nn.Module``. Or a path
            (``.keras``, ``.h5``, ``.onnx``, frozen GraphDef or SavedModel, recognized by content),
            the name of a zoo network, or ``hf://user/repo[/file]``; an existing path wins over a
            name.
        example_input: A tensor, or a tuple of tensors, with which a module of PyTorch is exported.
        preprocess: The numbers that the network takes: ``"torchvision"``, ``"inception"``,
            ``"caffe"``, ``"unit"`` or ``"byte"``.
        mean: What is subtracted, one number or one per channel; above 1 it is that of images in
            0..255.
        std: By what is then divided, likewise.
        channel_order: ``"rgb"`` or ``"bgr"``.
        labels: The names of the classes in their order, or a file of them: one a line, or JSON.
        input_spec: The numbers that the network takes, in place of the four words before.
        axes: The axes of an input that takes no images, in its own order, as
            ``"batch,channel,time"``; without it the likely ones.
        rate: The rate of signals in Hz.
        range_: The numbers of signals: ``(low, high)``, ``"-1,1"``, or an array or a file of some
            (``.npy``, ``.npz``, ``.csv``), whose lowest and highest numbers are taken by channel;
            ``"FILE,sd"`` for the mean and three deviations.
        front_end: What turns sounds into the spectrograms that the network takes, or runs a
            recurrent one over them: the name of a card (``"yamnet"``, ``"vggish"``, ``"whisper"``,
            ``"ast"``, ``"musicnn"``, ``"crepe"``, ``"silero-vad"``), a JSON file, or its settings.
        signature: The signature or function of a SavedModel or a ``tf.Module``, by default
            ``serving_default`` or the only one.
        importer: ``"onnx-tf"`` to read an ONNX model with that package.
        custom_objects: Keras classes by name, for files.
        unsafe: Whether to read files with pickled code.
        folder: The folder of external data that were not loaded with a ``ModelProto``, by default
            the working directory.

    Returns:
        The network, with its taps, labels and input description.

    Raises:
        UsageError: If there is neither such a file nor such a name, for an object of another kind,
            and if labels do not fit.
        ModelError: If the model cannot be read.

    Example:
        >>> net = load("efficientnet-lite0")
        >>> net.taps["block3b"].channels
        40
        >>> edges = keras.layers.Conv2D(8, 3, name="edges")
        >>> net = load(keras.Sequential([keras.Input((32, 32, 3)), edges]), preprocess="unit")
        >>> net.taps["edges"].channels
        8
    """
    words = InputWords.of(preprocess, mean, std, channel_order)
    if input_spec is not None and words != InputWords():
        raise UsageError("give input_spec, or preprocess, mean, std and channel_order, not both")
    if range_ is not None and (input_spec is not None or words.spec() is not None):
        raise UsageError("give range_, or input_spec, preprocess, mean and std, not both")
    if front_end is not None and (axes, rate, range_) != (None, None, None):
        raise UsageError("front_end says the axes, the rate and the range; leave those out")
    if axes is not None:
        axes = ",".join(axes_of(axes))  # an error before the model is loaded
    if rate is not None:
        rate = whole_number("rate", rate)
    names = () if labels is None else labels_given(labels)
    origins = dict.fromkeys(("input", "labels", "axes", "rate"), "given")
    given = Facts(input_spec or words.spec(), names, origins=origins, axes=axes, rate=rate)
    place = None if folder is None else Path(folder)
    memory = MemoryOptions(signature, importer, place, example_input)
    if isinstance(source, str | os.PathLike):
        memory.only("a file", "signature", "importer")
        read_file = partial(
            _read,
            custom_objects=custom_objects,
            unsafe=unsafe,
            importer=importer,
            signature=signature,
        )
        net = _of_file(os.fspath(source), given, read_file, importer, signature)
    else:
        net = _of_memory(source, given, memory)
    if range_ is not None:
        net = with_range(net, range_)
    if front_end is not None:
        net = with_front_end(net, front_end if isinstance(front_end, Mapping) else str(front_end))
    alone = channel_order if words.spec() is None else None
    return net if alone is None else net.with_channel_order(alone)


def _of_memory(model: Any, given: Facts, options: MemoryOptions) -> Network:
    """Load a model in memory, identified by its structure and weights."""
    read = read_object(model, options)
    compute = read.imported.contents
    assert compute is not None  # only what the package builds itself has none
    kind, signature = read.imported.format, read.signature
    identity = Identity(read.name, read.file, kind, compute(), signature, by_contents=True)
    facts = joined([given, _own_facts(read.imported)])
    return replace(_network(read.imported, identity, None, facts), live=read.weights)


def _of_file(
    name: str,
    given: Facts,
    read_file: Callable[[Path], Imported],
    importer: str | None,
    signature: str | None,
) -> Network:
    """Load a file or a zoo network."""
    known = cards()
    path = Path(name)
    located = None if name in known and _is_other_folder(path) else locate(name)
    if located is not None:
        path, name = located.path, located.source
        sha256 = sha256_of(path)
        card = card_for_checksum(sha256)
        if card is None:
            _refuse_archive(name, sha256)
        imported = read_file(path)
    elif name in known:
        card = known[name]
        if card.embedded and importer is not None:
            raise UsageError(f"{name} is no ONNX file, which the importer {importer} reads")
        if card.embedded and signature is not None:
            raise UsageError(f"{name} is no SavedModel, so it has no signature {signature!r}")
        if card.embedded:
            imported, sha256 = read_embedded(card), card.sha256
        else:
            path, sha256 = _fetched(card)
            imported = read_file(path)
    else:
        raise UsageError(f"no file and no zoo network {name!r}; near: {near(name, known)}")
    short = card.name if card else located.name if located else name
    identity = Identity(short, name, imported.format, sha256, signature, contents=imported.contents)
    return _network(imported, identity, card, _facts(given, card, imported, path, sha256))


def _refuse_archive(source: str, sha256: str) -> None:
    """Raise :class:`UsageError` for the archive of a zoo network, which has to be unpacked."""
    archived = find_archive(sha256)
    if archived is not None:
        raise UsageError(
            f"{source} is the archive of the zoo network {archived.name}; run: "
            f"kerasviz models add {source} --name {archived.name}"
        )


def _fetched(card: Card) -> tuple[Path, str]:
    """Return the file of a zoo network and its SHA-256, which must be the card's."""
    path, is_added = cached(card), card.name not in packaged_cards()
    again = f"kerasviz models {'add FILE --name' if is_added else 'fetch'} {card.name}"
    if path is None and is_added:
        raise UsageError(f"{card.name}: {card.source} is gone; run: {again}")
    if path is None:
        raise UsageError(f"{card.name} is not here yet; run: {again}")
    sha256 = sha256_of(path)
    if card.sha256 and sha256 != card.sha256:
        raise ModelError(
            f"{path} is damaged, or was changed since: its SHA-256 is {sha256}, the card's "
            f"{card.sha256}; {'' if is_added else 'remove it and '}run: {again}"
        )
    return path, sha256


def _is_other_folder(path: Path) -> bool:
    """Return whether a path is a folder without a model, so that the zoo name wins."""
    return path.is_dir() and not any(
        (path / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt", "config.json")
    )


def _read(path: Path, **options: Any) -> Imported:
    from kerasviz import importers  # only here: listing the zoo needs no importer

    return importers.read(path, **options)


def _facts(given: Facts, card: Card | None, imported: Imported, path: Path, sha256: str) -> Facts:
    """Return the facts about a network from the first source that has each."""
    sources = [given]
    if card is not None:
        labels = labels_of(card, path.parent)
        origins = dict.fromkeys(("input", "labels", "size"), f"card of {card.name}")
        if card.input is not None:
            origins["input"] = card.input.source
        size = None if card.input is None else card.input_size
        sources.append(Facts(card.input, labels, size, origins))
    sources.append(remembered(sha256).facts())
    sources.append(_own_facts(imported))
    if card is None or not card.embedded:
        sources.append(facts_beside(path))
    return joined(sources)


def _own_facts(imported: Imported) -> Facts:
    """Return what a model says about itself."""
    spec, labels = imported.input_spec, imported.labels
    origins = dict.fromkeys(("labels", "size"), imported.origin)
    origins["input"] = imported.origin if spec is None else spec.source
    return Facts(spec, labels, imported.size, origins)


def _network(imported: Imported, identity: Identity, card: Card | None, facts: Facts) -> Network:
    known = Network(
        imported.program,
        identity,
        input_spec=facts.input_spec,
        labels=facts.labels,
        trained_size=facts.size,
        axes=facts.axes,
        rate=facts.rate,
        origins=facts.origins,
        aliases=card.aliases if card else None,
        logits=card.logits if card else None,
        main_taps=card.main_taps if card else (),
    )
    return without_misfits(known)


def model_path(source: str) -> Path:
    """Return the file of a network, a path or a zoo name; :class:`UsageError` if there is none."""
    located = locate(source)
    if located is not None:
        return located.path
    card = cards().get(source)
    path_in_cache = None if card is None or card.embedded else cached(card)
    if path_in_cache is None:
        raise UsageError(f"{source} is no model file, so nothing else can run it; give a file")
    return path_in_cache
