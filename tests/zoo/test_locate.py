"""Where a model is that is named by a file or a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.described_models import classifier

from kerasviz.errors import UsageError
from kerasviz.zoo.locate import locate, onnx_file_in


def test_a_folder_stands_for_its_onnx_file(tmp_path: Path) -> None:
    assert locate(str(tmp_path / "missing")) is None
    net = tmp_path / "net"
    net.mkdir()
    assert locate(str(net)).path == net  # readers say what is wrong with it
    file = classifier(net / "onnx" / "a.onnx")
    assert locate(str(net)).path == file
    file = classifier(net / "b.onnx")
    located = locate(str(net))
    assert (located.path, located.name, located.source) == (file, "net", str(file))
    classifier(net / "c.onnx")
    with pytest.raises(UsageError, match=r"several ONNX files; name one of b\.onnx, c\.onnx"):
        locate(str(net))
    file = classifier(net / "model.onnx")
    assert locate(str(net)).path == file
    (net / "saved_model.pb").write_bytes(b"")
    assert onnx_file_in(net) is None
