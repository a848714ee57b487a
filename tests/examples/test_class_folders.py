"""Classes by folders."""

from __future__ import annotations

from dataclasses import replace

from support.analysed import of_keras

from kerasviz.examples.class_folders import classes_of

LABELS = ("tench", "goldfish, Carassius auratus", "great white shark", "tiger cat", "hen", "cock")


def test_numbers_names_and_identifiers():
    net = replace(of_keras(), labels=LABELS)
    names = [
        "goldfish/a.png",
        "tiger_cat/b/c.png",
        "4/d.png",
        "n01-hen/e.png",
        "other/f.png",
        "g.png",
    ]
    assert classes_of(net, names) == ([1, 3, 4, 4, None, None], ["other"])


def test_networks_without_labels_know_numbers():
    assert classes_of(of_keras(), ["2/a.png", "6/b.png", "hen/c.png"]) == (
        [2, None, None],
        ["6", "hen"],
    )
