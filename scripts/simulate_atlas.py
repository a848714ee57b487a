"""Simulate an atlas on many workers: hours, efficiency, and what failures and stragglers cost.

    python scripts/simulate_atlas.py [--workers 1 10 100 1000 10000] [--cut 16:0.7 8:0.2 4:0.1]
                                     [--times FILE] [--layers TAP ...] [--seeds 5] [...]
    python scripts/simulate_atlas.py --log RUN.jsonl --workers 1 2 [--against OTHER.jsonl]

The first form replays measured batch times: FILE is of scripts/atlas_times.py, by default those of
InceptionV1's atlas (nine layers, 5,484 units of 7 pictures, 2,560 steps, 128 x 128, one thread),
which were measured with random weights. Every batch size in it was timed, nothing is extrapolated.
`--cut` says which batch sizes the work is cut into: the shares of the work from the longest batches
to the shortest. Smaller batches take more for each picture, and other bits: a cut belongs to the
definition of an atlas. The tables are for workers that all live and are alike, for 2 % of workers
that take 1.5 times as long, and for those that also die once in a day each (see --help).

Efficiency is useful work over workers times makespan. The useful work is that of each picture once,
in whole batches of the largest size at its measured time. It excludes starts, compiling, the extra
time of smaller batches, copies, lost attempts, and waiting for the last task. The makespan is the
time from asking for the workers until the last task is finished. The tables have means over
--seeds, and the least efficiency.

The second form reads the log of a real run (`runs/NAME.jsonl` of an atlas) and predicts how long
other numbers of workers take for the same tasks; OTHER is a log with as many as it has, to compare.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from atlas_simulation import Conditions, Outcome, Workload, simulate

from kerasviz.atlas.batch_sizes import SHARES
from kerasviz.atlas.engines.protocol import Task

TIMES = Path(__file__).with_name("inceptionv1_times.json")
#: (batch size, share of the work) from the longest batches to the shortest.
Cut = tuple[tuple[int, float], ...]
WHOLE: Cut = ((16, 1.0),)
#: As `kerasviz atlas --fine` cuts.
TAPERED: Cut = tuple((16 // divisor, share) for divisor, share in SHARES)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--workers", type=int, nargs="+", default=[1, 10, 100, 1000, 10_000])
    add("--cut", nargs="+", help="BATCH:SHARE ... (default: 16:1, and 16:0.7 8:0.2 4:0.1)")
    add("--times", type=Path, default=TIMES)
    add("--layers", nargs="+", help="taps (default: the nine mixed layers, where there are such)")
    add("--seeds", type=int, default=5)
    add("--start", type=float, help="seconds of a worker's start (default: as measured)")
    add("--fetch", type=float, default=0.5, help="seconds to fetch the network, for one alone")
    add("--shared", type=float, default=0.005, help="seconds of the storage's link for each")
    add("--store", type=float, default=0.05, help="seconds to store a picture")
    add("--slow-share", type=float, default=0.02, help="share of workers that are slow")
    add("--slow", type=float, default=1.5, help="how many times as long they take")
    add("--lifetime", type=float, default=24.0, help="mean hours until a worker dies")
    add("--notice", type=float, default=10.0, help="seconds until a death is noticed")
    add("--restart", type=float, default=30.0, help="seconds until another worker is asked for")
    add("--saves", type=float, default=60.0, help="seconds after which a batch's state is saved")
    add("--saving", type=float, default=0.3, help="seconds to save it")
    add("--spread", type=float, default=0.03, help="spread of the seconds of like tasks (log)")
    add("--error", type=float, default=0.12, help="spread of expected over real seconds (log)")
    add("--log", type=Path, help="the log of a real run")
    add("--against", type=Path, help="the log of another, to compare the prediction with")
    return parser.parse_args(arguments)


# -- measured batch times -----------------------------------------------------------------------


def cut_of(words: Sequence[str]) -> Cut:
    """Read batch sizes and shares.

    >>> cut_of(["16:0.75", "4:0.25"])
    ((16, 0.75), (4, 0.25))
    """
    cut = tuple((int(b), float(share)) for b, _, share in (word.partition(":") for word in words))
    if not math.isclose(sum(share for _, share in cut), 1.0):
        raise SystemExit(f"--cut {' '.join(words)}: expected shares whose sum is 1")
    return cut


def workload(data: dict[str, Any], cut: Cut, layers: Sequence[str], store: float) -> Workload:
    """Return the tasks of an atlas from measured loops: whole batches, the longest first."""
    loops = {(loop["kind"], loop["batch"]): loop for loop in data["loops"]}
    largest = max(batch for _, batch in loops)
    missing = [batch for batch, _ in cut if not any(b == batch for _, b in loops)]
    if missing:
        sizes = sorted({b for _, b in loops})
        raise SystemExit(f"batch size {missing[0]} was not timed; there are {sizes}")

    def seconds(kind: str, batch: int) -> float:
        loop = loops[kind, batch]
        each = data["encode"] + store
        return float(loop["call"] + loop["step"] * data["steps"] + each * batch)

    kinds = [k for k, b in loops if b == largest and k.split(" ")[0] in layers]
    kinds.sort(key=lambda kind: -seconds(kind, largest))
    counts = {kind: loops[kind, largest]["pictures"] for kind in kinds}
    total = sum(counts[kind] * seconds(kind, largest) for kind in kinds)
    tasks: list[Task] = []
    compiling: dict[str, float] = {}
    done, end, part = 0.0, cut[0][1] * total, 0
    for kind in kinds:
        left, each = counts[kind], seconds(kind, largest)
        while left > 0:
            while part < len(cut) - 1 and done + largest * each > end:
                part += 1
                end += cut[part][1] * total
            batch = cut[part][0]
            name = f"{kind} x {batch}"
            tasks.append(Task(f"{name} {len(tasks)}", "", seconds(kind, batch), name))
            compiling[name] = loops[kind, batch]["compiling"]
            done, left = done + batch * each, left - batch
    useful = sum(math.ceil(counts[k] / largest) * seconds(k, largest) for k in kinds)
    return Workload(tuple(tasks), compiling, useful)


def scenarios(wanted: argparse.Namespace, start: float) -> dict[str, Conditions]:
    """Return conditions by their titles."""
    calm = Conditions(
        1,
        start=start,
        fetch=wanted.fetch,
        shared=wanted.shared,
        spread=wanted.spread,
        error=wanted.error,
        saves=wanted.saves,
        saving=wanted.saving,
    )
    slow = replace(calm, slow_share=wanted.slow_share, slow=wanted.slow)
    deaths = {"notice": wanted.notice, "restart": wanted.restart}
    dying = replace(slow, lifetime=wanted.lifetime * 3600, **deaths)
    lame = f"{wanted.slow_share:.0%} of workers {wanted.slow:g} times as slow"
    return {
        "no failures": calm,
        lame: slow,
        f"{lame}, each dies once in {wanted.lifetime:g} h": dying,
    }


def table(load: Workload, conditions: Conditions, workers: Sequence[int], seeds: int) -> str:
    """Return rows of workers, hours, efficiency, and losses in percent of all time."""
    heads = ("workers", "hours", "efficiency", "least", "compiling", "starting", "copies", "lost")
    lines = ["".join(f"{head:>11}" for head in (*heads, "retries", "deaths"))]
    for count in workers:
        on = replace(conditions, workers=count)
        lines.append(_row([simulate(load, replace(on, seed=seed)) for seed in range(seeds)]))
    return "\n".join(lines)


def _row(outs: Sequence[Outcome]) -> str:
    def share(name: str) -> str:
        return f"{fmean(getattr(o, name) / (o.workers * o.makespan) for o in outs):.2%}"

    cells = [
        f"{outs[0].workers:,}",
        f"{fmean(o.makespan for o in outs) / 3600:.3f}",
        f"{fmean(o.efficiency for o in outs):.1%}",
        f"{min(o.efficiency for o in outs):.1%}",
        *(share(name) for name in ("compiling", "starting", "copied", "lost")),
        *(f"{fmean(getattr(o, name) for o in outs):.1f}" for name in ("retries", "deaths")),
    ]
    return "".join(f"{cell:>11}" for cell in cells)


# -- a real run -----------------------------------------------------------------------------------


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the events of a run.

    They have `at` seconds, `event`, and `worker`, `task`, `kind`, `cost`, `seconds`. A line without
    an event describes the run.
    """
    lines = [json.loads(line) for line in path.read_text().splitlines() if line]
    return [line for line in lines if "event" in line]


def measured(events: Sequence[dict[str, Any]]) -> tuple[float, int]:
    """Return the seconds from the first start to the last finished task, and the most workers."""
    joined = [e for e in events if e["event"] == "joined"]
    ended = [e["at"] for e in events if e["event"] == "done"]
    alive = most = 0
    for event in events:
        alive += {"joined": 1, "lost": -1}.get(event["event"], 0)
        most = max(most, alive)
    return max(ended) - min(e["at"] - e["seconds"] for e in joined), most


def workload_of(events: Sequence[dict[str, Any]]) -> tuple[Workload, float]:
    """Return the tasks of a run at their measured seconds, and the seconds of a worker's start.

    The first task of a group on a worker contains its compilation: the seconds beyond those of the
    other tasks of the group, or beyond its cost at the ratio of all tasks.
    """
    starts = fmean(e["seconds"] for e in events if e["event"] == "joined")
    first: dict[str, list[dict[str, Any]]] = {}
    later: dict[str, list[dict[str, Any]]] = {}
    began: dict[tuple[str, str], float] = {}
    known: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for event in events:
        if event["event"] == "began":
            began[event["worker"], event["task"]] = event["at"]
        share = event.get("share", 1.0)
        if event["event"] != "done" or event["task"] in seen or not share:
            continue
        seen.add(event["task"])
        cold = (event["worker"], event["kind"]) not in known
        known.add((event["worker"], event["kind"]))
        taken = (event["at"] - began[event["worker"], event["task"]]) / share
        (first if cold else later).setdefault(event["kind"], []).append({**event, "taken": taken})
    warm = [e for own in later.values() for e in own]
    ratio = sum(e["taken"] for e in warm) / sum(e["cost"] for e in warm) if warm else 1.0
    tasks, compiling = [], {}
    for kind in {**first, **later}:
        own, cold_ones = later.get(kind, []), first.get(kind, [])
        rate = sum(e["taken"] for e in own) / sum(e["cost"] for e in own) if own else ratio
        more = fmean(max(0.0, e["taken"] - e["cost"] * rate) for e in cold_ones)
        compiling[kind] = more
        tasks += [Task(e["task"], "", e["taken"], kind) for e in own]
        tasks += [Task(e["task"], "", max(0.0, e["taken"] - more), kind) for e in cold_ones]
    return Workload(tuple(tasks), compiling), starts


def predict(wanted: argparse.Namespace) -> None:
    """Print predicted and measured times of the tasks of a log."""
    events = read_log(wanted.log)
    load, start = workload_of(events)
    took = dict([reversed(measured(events))])
    if wanted.against:
        took |= dict([reversed(measured(read_log(wanted.against)))])
    print(f"{len(load.tasks)} tasks, {load.work:.1f} s of work, a worker starts in {start:.1f} s")
    print(f"{'workers':>8}{'predicted s':>13}{'measured s':>12}{'error':>8}{'speed-up':>10}")
    alone = simulate(load, Conditions(1, start=start)).makespan
    for count in wanted.workers:
        makespan = simulate(load, Conditions(count, start=start)).makespan
        real = took.get(count)
        error = f"{makespan / real - 1:+.1%}" if real else ""
        shown = f"{real:.1f}" if real else ""
        speed = alone / makespan
        print(f"{count:>8}{makespan:>13.1f}{shown:>12}{error:>8}{speed:>10.2f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    wanted = parse(arguments)
    if wanted.log:
        predict(wanted)
        return
    data = json.loads(wanted.times.read_text())
    taps = dict.fromkeys(loop["kind"].split(" ")[0] for loop in data["loops"])
    layers = wanted.layers or [t for t in taps if t.startswith("mixed")] or list(taps)
    start = data["start"] if wanted.start is None else wanted.start
    for cut in [cut_of(wanted.cut)] if wanted.cut else [WHOLE, TAPERED]:
        load = workload(data, cut, layers, wanted.store)
        more = sum(task.cost for task in load.tasks) / load.work - 1
        parts = ", ".join(f"{share:.0%} in batches of {batch}" for batch, share in cut)
        seconds = sorted(task.cost for task in load.tasks)
        print(
            f"\n{data['network']}, layers {' '.join(layers)}: {load.work / 3600:.1f} hours of "
            f"useful work; {parts}: {len(load.tasks):,} tasks of {seconds[0]:.0f} to "
            f"{seconds[-1]:.0f} s, {abs(more):.1%} more work"
        )
        for name, conditions in scenarios(wanted, start).items():
            print(f"\n{name}\n{table(load, conditions, wanted.workers, wanted.seeds)}")


if __name__ == "__main__":
    main()
