"""The samples of cells against sorting all values at once."""

from __future__ import annotations

import numpy as np

from kerasviz.examples.statistics.reservoir import CELLS, KEPT, Reservoir, mixed


def entries(values: np.ndarray) -> dict[str, np.ndarray]:
    images = np.arange(len(values))[:, None]
    return {
        "tie": mixed(images),
        "value": values,
        "image": images,
        "place": images % 7,
        "label": images % 3 - 1,
    }


def offered(values: np.ndarray, order: np.ndarray, batch: int) -> Reservoir:
    reservoir, every = Reservoir(values.shape[1]), entries(values)
    for start in range(0, len(values), batch):
        part = order[start : start + batch]
        reservoir.offer({name: array[part] for name, array in every.items()})
    return reservoir


def test_every_cell_keeps_the_images_with_the_smallest_ties() -> None:
    draw = np.random.default_rng(2)
    values = draw.normal([0, 50], [1, 20], (2000, 2)).astype(np.float32)
    values[:, 1] *= np.linspace(0.01, 3, 2000)  # the range grows
    reservoir = offered(values, np.arange(2000), 64)
    ties = mixed(np.arange(2000))
    for unit in range(2):
        kept = reservoir.of(unit)
        cells = reservoir.grid.numbers(values)[:, unit]
        for cell in range(CELLS):
            inside = np.flatnonzero(cells == cell)
            expected = inside[np.argsort(ties[inside])][:KEPT]
            mine = kept["cell"] == cell
            assert kept["image"][mine].tolist() == expected.tolist()
            np.testing.assert_array_equal(kept["value"][mine], values[expected, unit])
            assert kept["place"][mine].tolist() == (expected % 7).tolist()
            assert kept["label"][mine].tolist() == (expected % 3 - 1).tolist()


def test_order_does_not_matter_and_the_state_is_whole() -> None:
    values = np.random.default_rng(4).standard_cauchy((500, 3)).astype(np.float32)
    plain = offered(values, np.arange(500), 500)
    mixed_up = offered(values, np.random.default_rng(0).permutation(500), 9)
    for name, array in plain.to_arrays().items():
        np.testing.assert_array_equal(array, mixed_up.to_arrays()[name], name)
    again = Reservoir(3)
    again.restore(offered(values[:200], np.arange(200), 50).to_arrays())
    again.offer({name: array[200:] for name, array in entries(values).items()})
    np.testing.assert_array_equal(again.arrays["image"], plain.arrays["image"])


def test_mixed_numbers_are_spread_evenly() -> None:
    draws = mixed(np.arange(20_000)) * 2.0**-53
    assert len(np.unique(draws)) == 20_000
    counts = np.histogram(draws, 20, (0, 1))[0]
    assert abs(counts - 1000).max() < 150
