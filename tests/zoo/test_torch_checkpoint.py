from __future__ import annotations

import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasviz.errors import ModelError
from kerasviz.zoo.torch_checkpoint import read_checkpoint

MAGIC = 0x1950A86A20F9469CFC6C


class Global:
    """Pickled as the name ``module.name``, whatever that is."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def __call__(self) -> None: ...


class Storage:
    def __init__(self, kind: str, data: np.ndarray):
        self.kind, self.data, self.key = kind, data, str(id(data))


class Tensor:
    def __init__(self, storage: Storage, offset: int, shape: tuple, strides: tuple):
        self.storage = storage
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())


class Pickler(pickle._Pickler):  # the pure Python one lets save() be replaced
    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, Storage):
            kind = Global("torch", obj.kind)
            return ("storage", kind, obj.key, "cpu", obj.data.size, None)
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            return Global("torch._utils", "_rebuild_tensor_v2"), obj.arguments
        return NotImplemented


def write(path: Path, obj: Any, storages: list[Storage] = (), little: bool = True) -> Path:
    out = io.BytesIO()
    machine = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}
    keys = sorted(s.key for s in storages)
    for part in (MAGIC, 1001, machine, obj, keys):
        Pickler(out, 2).dump(part)
    by_key = {s.key: s for s in storages}
    for key in keys:
        out.write(struct.pack("<q", by_key[key].data.size) + by_key[key].data.tobytes())
    path.write_bytes(out.getvalue())
    return path


def test_tensors_of_all_shapes_come_back(tmp_path: Path) -> None:
    floats = Storage("FloatStorage", np.arange(24, dtype="<f4"))
    longs = Storage("LongStorage", np.array([7], "<i8"))
    halves = Storage("HalfStorage", np.linspace(0, 1, 6, dtype="<f2"))
    state = OrderedDict(
        whole=Tensor(floats, 0, (2, 3, 4), (12, 4, 1)),
        turned=Tensor(floats, 0, (4, 6), (1, 4)),
        part=Tensor(floats, 5, (2, 2), (4, 2)),
        repeated=Tensor(floats, 3, (3, 2), (0, 1)),
        scalar=Tensor(longs, 0, (), ()),
        half=Tensor(halves, 0, (6,), (1,)),
        empty=Tensor(floats, 24, (0, 3), (3, 1)),
    )
    path = write(tmp_path / "net.pth", state, [floats, longs, halves])
    found = read_checkpoint(path)
    assert list(found) == list(state)
    numbers = np.arange(24, dtype="f4")
    np.testing.assert_array_equal(found["whole"], numbers.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], numbers.reshape(6, 4).T)
    np.testing.assert_array_equal(found["part"], [[5, 7], [9, 11]])
    np.testing.assert_array_equal(found["repeated"], [[3, 4]] * 3)
    assert found["scalar"] == 7 and found["scalar"].shape == ()
    np.testing.assert_array_equal(found["half"], halves.data)
    assert found["empty"].shape == (0, 3)
    found["part"][0, 0] = -1  # own memory: neither read-only nor shared
    assert found["whole"].min() == 0


class Command:
    def __init__(self, text: str):
        self.text = text

    def __reduce__(self) -> Any:
        return os.system, (self.text,)


def test_a_pickle_that_runs_a_command_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    attack = OrderedDict(weight=Command(f"touch {marker}"))
    path = write(tmp_path / "net.pth", attack)
    with pytest.raises(ModelError, match=r"system, which is refused"):
        read_checkpoint(path)
    assert not marker.exists()
    start = tmp_path / "start.pth"  # the very first pickle of the file, too
    start.write_bytes(pickle.dumps(Command(f"touch {marker}")))
    with pytest.raises(ModelError, match=r"refused"):
        read_checkpoint(start)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("collections", "namedtuple"),
        ("kerasviz.zoo.torch_checkpoint", "read_checkpoint"),
    ],
)
def test_any_other_name_is_refused(tmp_path: Path, module: str, name: str) -> None:
    path = write(tmp_path / "net.pth", {"weight": Global(module, name)})
    with pytest.raises(ModelError, match=f"{module}.{name}, which is refused"):
        read_checkpoint(path)


def one_tensor(offset: int = 0, shape: tuple = (2, 3), strides: tuple = (3, 1)) -> Any:
    storage = Storage("FloatStorage", np.arange(6, dtype="<f4"))
    return {"weight": Tensor(storage, offset, shape, strides)}, [storage]


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(1, (2, 3), (3, 1)), (0, (3, 3), (3, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2,), (9,))],
)
def test_a_tensor_outside_its_storage_is_refused(
    tmp_path: Path, offset: int, shape: tuple, strides: tuple
) -> None:
    path = write(tmp_path / "net.pth", *one_tensor(offset, shape, strides))
    with pytest.raises(ModelError, match="no readable PyTorch checkpoint"):
        read_checkpoint(path)


def test_a_file_cut_off_anywhere_gives_one_line(tmp_path: Path) -> None:
    data = write(tmp_path / "net.pth", *one_tensor()).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        with pytest.raises(ModelError) as caught:
            read_checkpoint(cut)
        assert "\n" not in str(caught.value)


def test_other_files(tmp_path: Path) -> None:
    text = tmp_path / "text.pth"
    text.write_text("weights, honestly")
    with pytest.raises(ModelError):
        read_checkpoint(text)
    text.write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(ModelError, match="not a legacy PyTorch checkpoint"):
        read_checkpoint(text)
    with pytest.raises(ModelError, match="cannot be read"):
        read_checkpoint(tmp_path / "missing.pth")
    with pytest.raises(ModelError, match="not a dictionary"):
        read_checkpoint(write(tmp_path / "list.pth", [1, 2]))
    with pytest.raises(ModelError, match="not a tensor"):
        read_checkpoint(write(tmp_path / "numbers.pth", {"epoch": 3}))
    with pytest.raises(ModelError, match="little-endian"):
        read_checkpoint(write(tmp_path / "big.pth", {}, little=False))
