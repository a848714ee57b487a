"""The operators of ``ai.onnx.ml`` against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

ML = "ai.onnx.ml"
FLOAT, INT, TEXT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING
KINDS = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): INT, np.dtype(object): TEXT}


class Check:
    """Runs one node here and in onnxruntime."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ml.onnx"

    def __call__(
        self, op: str, feeds: Any, count: int = 1, opset: int = 3, skip: int = 0, **given: Any
    ) -> Any:
        feeds = feeds if isinstance(feeds, list) else [feeds]
        names = [f"x{k}" for k in range(len(feeds))]
        outputs = [f"y{k}" for k in range(count)]
        node = helper.make_node(op, names, outputs, domain=ML, **given)
        infos = [
            helper.make_tensor_value_info(n, KINDS[a.dtype], list(a.shape))
            for n, a in zip(names, feeds, strict=True)
        ]
        graph = helper.make_graph(
            [node], "test", infos, [onnx.ValueInfoProto(name=n) for n in outputs]
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(ML, opset)],
            ir_version=8,
        )
        self.path.write_bytes(model.SerializeToString())
        fed = dict(zip(names, feeds, strict=True))
        program = read_onnx(self.path).program
        ours = program.compute(fed, outputs, channels_last=False)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        theirs = session.run(outputs, fed)
        for name, wanted in list(zip(outputs, theirs, strict=True))[skip:]:
            found = ours[name].numpy()
            if wanted.dtype == object:
                assert [t.decode() for t in found.reshape(-1)] == list(wanted.reshape(-1))
            else:
                assert found.dtype == wanted.dtype
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
            assert found.shape == wanted.shape
        return ours


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


def texts(*words: str) -> Any:
    return np.array(words, object)


def test_tables(check: Check) -> None:
    words = texts("b", "a", "x", "b").reshape(2, 2)
    numbers = np.array([[3, 1], [9, 3]])
    check("LabelEncoder", words, opset=1, classes_strings=["a", "b"], default_int64=7)
    check("LabelEncoder", np.array([1, 0, 5]), opset=1, classes_strings=["a", "b"])
    check(
        "LabelEncoder",
        words,
        opset=2,
        keys_strings=["a", "b"],
        values_floats=[0.5, 2.5],
        default_float=-3.0,
    )
    check("LabelEncoder", numbers, opset=2, keys_int64s=[1, 3], values_strings=["one", "three"])
    floats = np.array([1.5, np.nan, 2.0], np.float32)
    check("LabelEncoder", floats, opset=4, keys_floats=[1.5, np.nan], values_int64s=[4, 5])
    cats: Any = {"cats_strings": ["a", "b"], "cats_int64s": [3, 9]}
    check("CategoryMapper", words, **cats, default_int64=-5)
    check("CategoryMapper", numbers, **cats, default_string="none")
    check("OneHotEncoder", words, cats_strings=["a", "b", "c"])
    check("OneHotEncoder", numbers, cats_int64s=[1, 3])


def test_features(check: Check, image: Any) -> None:
    x = image(3, 5)
    places = np.array([[4, 0, 4]])
    check("ArrayFeatureExtractor", [x, places])
    check("ArrayFeatureExtractor", [image(2, 3, 5), places])
    check("ArrayFeatureExtractor", [image(5), places])
    check("Binarizer", x, threshold=0.3)
    check("FeatureVectorizer", [x, image(3, 2, seed=1)], inputdimensions=[5, 2])
    x[0, 1] = x[2, 4] = np.nan
    check("Imputer", x, imputed_value_floats=[1.0, 2, 3, 4, 5], replaced_value_float=float("nan"))
    check("Imputer", np.array([[7, 1]]), imputed_value_int64s=[3], replaced_value_int64=7)


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_normalizer(check: Check, image: Any, norm: str) -> None:
    x = image(4, 5)
    x[2] = 0
    check("Normalizer", x, norm=norm)


def test_scaler_and_regressor(check: Check, image: Any) -> None:
    x = image(3, 4)
    check("Scaler", x, offset=[0.5], scale=[2.0])
    check("Scaler", x, offset=[0.5, 1, 2, 3], scale=[2.0, 1, 3, 4])
    numbers = [float(v) for v in image(8, seed=2)]
    check("LinearRegressor", x, coefficients=numbers, intercepts=[0.5, -1.0], targets=2)
    check("LinearRegressor", x, coefficients=numbers[:4])


@pytest.mark.parametrize("post", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("classes", [3, 2, 1])
def test_linear_classifier(check: Check, image: Any, post: str, classes: int) -> None:
    check(
        "LinearClassifier",
        image(6, 4),
        2,
        coefficients=[float(v) for v in image(4 * classes, seed=3)],
        intercepts=[float(v) for v in image(classes, seed=4)],
        classlabels_ints=list(range(5, 5 + max(classes, 2))),
        post_transform=post,
    )


KERNELS = [
    ("LINEAR", [0.0, 0.0, 0.0]),
    ("RBF", [0.3, 0.0, 0.0]),
    ("POLY", [0.5, 1.5, 3.0]),
    ("SIGMOID", [0.2, 0.1, 0.0]),
]


@pytest.mark.parametrize(("kernel", "numbers"), KERNELS)
@pytest.mark.parametrize("one", [0, 1])
def test_svm_regressor(
    check: Check, image: Any, kernel: str, numbers: list[float], one: int
) -> None:
    check(
        "SVMRegressor",
        image(5, 3),
        kernel_type=kernel,
        kernel_params=numbers,
        support_vectors=[float(v) for v in image(4 * 3, seed=5)],
        coefficients=[float(v) for v in image(4, seed=6)],
        n_supports=4,
        rho=[0.25],
        one_class=one,
    )


@pytest.mark.parametrize(("kernel", "numbers"), KERNELS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("chances", [False, True])
def test_svm_classifier(
    check: Check, image: Any, kernel: str, numbers: list[float], classes: int, chances: bool
) -> None:
    counts = [2, 3, 2][:classes]
    pairs = classes * (classes - 1) // 2
    given: Any = {}
    if chances:
        given = {"prob_a": [-1.5, -0.8, -1.1][:pairs], "prob_b": [0.1, -0.2, 0.3][:pairs]}
    check(
        "SVMClassifier",
        image(6, 3),
        2,
        kernel_type=kernel,
        kernel_params=numbers,
        support_vectors=[float(v) for v in image(sum(counts) * 3, seed=5)],
        coefficients=[float(v) for v in image(sum(counts) * (classes - 1), seed=6)],
        vectors_per_class=counts,
        rho=[0.25, -0.1, 0.2][:pairs],
        classlabels_ints=[4, 7, 9][:classes],
        **given,
    )


def trees(count: int, features: int, kind: str, targets: int, *, seed: int = 0) -> dict[str, Any]:
    """Random trees of depth 2 with unequal branches, and one that is a lone leaf."""
    rng = np.random.default_rng(seed)
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
    made: dict[str, list[Any]] = {}

    def add(**entry: Any) -> None:
        for name, value in entry.items():
            made.setdefault(name, []).append(value)

    for tree in range(count):
        mode = modes[tree % len(modes)]
        inner = [] if tree == count - 1 else [(0, 1, 2), (1, 3, 4)]
        leaves = [0] if tree == count - 1 else [2, 3, 4]
        for node, yes, no in inner:
            add(
                nodes_treeids=tree,
                nodes_nodeids=node,
                nodes_modes=mode,
                nodes_featureids=int(rng.integers(features)),
                nodes_values=float(np.float32(rng.normal())),
                nodes_truenodeids=yes,
                nodes_falsenodeids=no,
                nodes_missing_value_tracks_true=int(rng.integers(2)),
            )
        for node in leaves:
            add(
                nodes_treeids=tree,
                nodes_nodeids=node,
                nodes_modes="LEAF",
                nodes_featureids=0,
                nodes_values=0.0,
                nodes_truenodeids=0,
                nodes_falsenodeids=0,
                nodes_missing_value_tracks_true=0,
            )
            for target in range(targets):
                add(
                    **{
                        f"{kind}_treeids": tree,
                        f"{kind}_nodeids": node,
                        f"{kind}_ids": target,
                        f"{kind}_weights": float(np.float32(rng.normal())),
                    }
                )
    return made


@pytest.mark.parametrize("how", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_tree_regressor(check: Check, image: Any, how: str) -> None:
    x = image(9, 4)
    x[3, 1] = x[5, 0] = np.nan
    check(
        "TreeEnsembleRegressor",
        x,
        aggregate_function=how,
        n_targets=2,
        base_values=[0.5, -0.25],
        **trees(5, 4, "target", 2),
    )


@pytest.mark.parametrize("post", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("classes", [2, 3])
def test_tree_classifier(check: Check, image: Any, post: str, classes: int) -> None:
    """Of two classes onnxruntime takes the second wherever its own score is above 0."""
    found = check(
        "TreeEnsembleClassifier",
        image(9, 4),
        2,
        classlabels_strings=["a", "b", "c"][:classes],
        post_transform=post,
        skip=int(classes == 2),
        **trees(4, 4, "class", classes),
    )
    best = np.argmax(found["y1"], 1) if post != "SOFTMAX_ZERO" else None
    if best is not None:
        assert [b"abc"[k : k + 1] for k in best] == list(found["y0"].numpy())


@pytest.mark.parametrize("post", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("base", [[], [0.2]])
def test_tree_classifier_with_one_score(
    check: Check, image: Any, post: str, positive: bool, base: list[float]
) -> None:
    forest = trees(4, 4, "class", 1)
    if positive:
        forest["class_weights"] = [abs(w) / 4 for w in forest["class_weights"]]
    check(
        "TreeEnsembleClassifier",
        image(9, 4),
        2,
        classlabels_int64s=[3, 8],
        post_transform=post,
        **({"base_values": base} if base else {}),
        **forest,
    )
