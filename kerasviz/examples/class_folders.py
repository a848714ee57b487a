"""Tell the class of an image by the folder that it is in."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.errors import UsageError
from kerasviz.network.network import Network


def class_of_folder(net: Network, folder: str) -> int | None:
    """Return the class that a folder is named after: its number, or any name in its label.

    Underscores count as spaces, and a name may follow an identifier and a hyphen, as in
    ``n02123045-tabby``. ``None`` for a folder that names no class.
    """
    for text in (folder, folder.partition("-")[2]):
        if text:
            try:
                return net.class_index(text.replace("_", " "))
            except UsageError:
                continue
    return None


def classes_of(net: Network, names: Sequence[str]) -> tuple[list[int | None], list[str]]:
    """Return the classes of images, and the folders that name none.

    Args:
        net: The network, with labels or without.
        names: Names of images, such as ``tabby/1.jpg``. Their first folder names the class.
    """
    folders = [name.split("/")[0] if "/" in name else "" for name in names]
    known = {folder: class_of_folder(net, folder) for folder in dict.fromkeys(folders) if folder}
    unknown = [folder for folder, number in known.items() if number is None]
    return [known.get(folder) for folder in folders], unknown
