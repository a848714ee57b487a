"""scripts/bench_peers.py without any of the peers: command line, table, and a worker's life."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_peers.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_peers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def worker(bench, tmp_path, monkeypatch):
    """Makes a worker whose program is the given text; it is closed after the test."""
    made = []

    def make(text, batch=4):
        monkeypatch.setattr(bench, "WORKER", tmp_path / "worker.py")
        bench.WORKER.write_text(text)
        made.append(bench.Worker(sys.executable, "one", {"batch": batch}))
        return made[-1]

    yield make
    for each in made:
        each.close()  # also where the test did


SERVES = """
import json, sys
task = json.loads(sys.argv[2])
print(json.dumps({"version": "1", "differs": 0.0}), flush=True)
for line in sys.stdin:
    steps = 8 * -(-int(line) // 8)
    print(json.dumps({"steps": steps, "seconds": steps * 0.5}), flush=True)
"""


def test_the_command_line_has_defaults_and_takes_several_batch_sizes(bench):
    assert bench.parser().parse_args([]).batches == [1, 16]
    options = bench.parser().parse_args(["a.onnx", "--batches", "2", "3", "--rounds", "1"])
    assert (options.model, options.batches, options.rounds) == ("a.onnx", [2, 3], 1)
    with pytest.raises(SystemExit):
        bench.parser().parse_args(["--batches", "many"])


def test_the_table_divides_by_ours_and_shows_what_is_missing(bench):
    rows = [
        bench.Row(bench.OURS, "0.1", "bfloat16", {1: [0.9, 0.005, 0.001], 16: [0.002]}),
        bench.Row("other", "2.0", "", {1: [0.0225], 16: []}),
    ]
    lines = bench.table(rows, [1, 16]).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| kerasviz, auto (bfloat16) | 0.1 | 5.0 | 2.0 | 1.0 | 1.0 |"
    assert lines[3] == "| other | 2.0 | 22.5 | - | 4.5 | - |"
    assert bench.table(rows[1:], [1]).endswith("| other | 2.0 | 22.5 | - |")


def test_a_worker_is_measured_for_each_image_by_the_steps_that_it_took(bench, worker):
    left_out = {}
    running = bench.started([worker(SERVES)], left_out)
    bench.measure(list(running), 3, left_out)
    (row,) = bench.rows_of(running)
    assert row == bench.Row("one", "1", "", {4: [0.5 / 4] * 3})
    assert not left_out


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise ImportError('no such thing')", "ImportError: no such thing"),
        (SERVES.replace('"differs": 0.0', '"differs": 0.5'), "its activations differ by 0.5"),
        (SERVES.replace("0.0", 'float("nan")'), "its activations differ by nan"),
    ],
)
def test_what_cannot_run_or_computes_something_else_is_left_out(bench, worker, program, reason):
    left_out = {}
    assert bench.started([worker(program)], left_out) == {}
    assert left_out == {"one, batch 4": reason}


def test_a_worker_that_ends_on_the_way_is_left_out(bench, worker):
    left_out = {}
    ends = SERVES.replace("for line in sys.stdin:", "for line in [sys.stdin.readline()]:")
    running = bench.started([worker(ends + "\nsys.exit('out of memory')")], left_out)
    bench.measure(list(running), 1, left_out)
    assert left_out == {"one, batch 4": "out of memory"}
    assert bench.rows_of(running)[0].seconds(4) is None


def test_a_worker_that_is_gone_when_it_is_asked_can_be_closed(bench, worker):
    gone = worker("")
    gone.process.wait()
    assert gone.seconds(8) is None
    gone.close()
    assert gone.process.stdin.closed


def test_what_pip_refuses_is_named_with_its_reason(bench):
    python = Path(sys.executable)
    there = bench.Contender("there", "", (("--no-such-option",),), ("numpy",))
    absent = bench.Contender("absent", "", (("--no-such-option",),), ("not-there-at-all",))
    assert bench.install(python, there) is None
    assert "--no-such-option" in bench.install(python, absent)


def test_every_contender_has_a_loop(bench):
    names = {each.name for each in bench.contenders("torch")}
    text = bench.WORKER.read_text()
    assert bench.OURS in names
    assert all(f'"{name}":' in text for name in names)
