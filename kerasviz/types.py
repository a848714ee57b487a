"""Types that many modules share; TensorFlow and numpy leave them open."""

from __future__ import annotations

import importlib
from typing import Any, Literal

import numpy as np

#: A tf.Tensor; TensorFlow ships no types.
Tensor = Any
Array = np.ndarray[Any, Any]
#: Files, folders, images of Pillow, or arrays [H, W, 3], one or a list of them.
Photos = Any
#: Height and width in pixels.
Size = tuple[int, int]

# The choices that commands and Python offer under one name.

#: Numbers in which convolutions are computed; ``auto`` is the fastest on this machine.
Precision = Literal["auto", "float32", "bfloat16", "float16"]
#: Parameterizations of one picture; "aligned" is for the frames of an interpolation.
Param = Literal[
    "pixel",
    "fourier",
    "pyramid",
    "low-resolution",
    "cppn",
    "maco",
    "clip",
    "grey",
    "l2-ball",
    "linf-ball",
    "signal",
    "waveform",
]
#: Whether to take the tensor before an activation function: where it is a ReLU, or "any" function.
PreActivation = bool | Literal["any"]
FileFormat = Literal["png", "jpg", "webp"]
#: What the workers of an atlas are: processes of this machine, or actors of a Ray cluster.
EngineName = Literal["local", "ray"]
#: The articles whose figures are drawn.
ArticleName = Literal["feature-visualization", "circuits", "building-blocks", "activation-atlas"]
#: What ``convert`` writes, and the order of the axes of its inputs and outputs.
OutputKind = Literal["keras", "saved_model"]
OutputLayout = Literal["own", "channels-last"]
#: What ``check`` compares with.
ReferenceName = Literal["onnxruntime", "keras"]
#: How sequences of tokens are searched for.
SearchName = Literal["epo", "gcg", "greedy", "random"]
#: What silenced units are set to, over the images of a pass.
UnitLevel = Literal["zero", "mean"]
#: How the icons of an activation grid are optimized.
Grid = Literal["none", "naive", "shared"]
#: Weights between two layers by their sign.
WeightSign = Literal["positive", "negative", "all"]
#: How directions are found in the activations of photos.
DirectionMethod = Literal["nmf", "pca", "kmeans", "cav"]
#: Where the classes of images are from: the data set, the network's answers, or nowhere.
ClassesOf = Literal["given", "predicted", "none"]


class NotebookView:
    """Show an object as HTML in notebooks; ``kerasviz.rendering.notebook`` draws it.

    The package is imported by name when a notebook asks. So the classes of lower rooms need not
    import a higher one, nothing has to be registered before the first cell, and a terminal pays
    nothing.
    """

    def _repr_html_(self) -> str:
        notebook: Any = importlib.import_module("kerasviz.rendering.notebook")
        html: str = notebook.to_html(self)
        return html
