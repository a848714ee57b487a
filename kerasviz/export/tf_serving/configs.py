"""Write example configurations of TensorFlow Serving beside the folders of the models."""

from __future__ import annotations

from pathlib import Path

from kerasviz.export.tf_serving.versions import versions
from kerasviz.io.files import write_atomically

#: First line of the files that are overwritten; files without it belong to the user and stay.
_MARK = "# Written by kerasviz export, and again by the next one unless this line is taken away.\n"
_BATCHING = """\
# tensorflow_model_server --enable_batching --batching_parameters_file=batching.config
# Requests that come within 5 ms are run together, in batches of at most 16 rows.
max_batch_size { value: 16 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 64 }
num_batch_threads { value: 2 }
"""


def write_configs(folder: Path) -> None:
    """Write ``models.config``, which names all models in ``folder``, and ``batching.config``."""
    names = sorted(path.name for path in folder.iterdir() if _is_model(path))
    entries = "".join(
        "  config {\n"
        f'    name: "{name}"\n'
        f'    base_path: "/models/{name}"\n'
        '    model_platform: "tensorflow"\n'
        "  }\n"
        for name in names
    )
    models = (
        "# tensorflow_model_server --model_config_file=/models/models.config, with this folder at\n"
        f"# /models, as a container has it.\nmodel_config_list {{\n{entries}}}\n"
    )
    for name, text in (("models.config", models), ("batching.config", _BATCHING)):
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8").startswith(_MARK):
            write_atomically(path, (_MARK + text).encode())


def _is_model(path: Path) -> bool:
    return any((path / str(n) / "saved_model.pb").is_file() for n in versions(path))
