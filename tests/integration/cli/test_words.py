"""Commands with networks of tokens: render, again, verify, resume, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import words

import kerasviz

#: A search that takes a second.
FEW = ("--steps", "3", "--tokens", "4")


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    path = words.language(folder)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", *(f"word{k}" for k in range(1, 50))]))
    return path


def test_tokens_are_rendered_kept_verified_and_made_again(run_cli, language, tmp_path):
    out = tmp_path / "out"
    made = run_cli("render", language, "units:1", "units:3@-1", "--out", out, *FEW)
    assert made.code == 0, made.err
    files = {path.name for path in out.iterdir()}
    assert {f"units-1{s}" for s in (".png", ".json", ".txt")} <= files
    about = json.loads((out / "units-1.json").read_text())
    assert len(about["ids"]) == 4 and about["text"].startswith("word") and 0 not in about["ids"]
    ids = np.array([about["ids"]])
    net = kerasviz.load(language)
    assert about["value"] == float(np.asarray(kerasviz_mean(net, ids))[0, 1])
    kept = run_cli("render", language, "units:1", "units:3@-1", "--out", out, *FEW)
    assert "nothing to do: 2 pictures are complete" in kept.out
    (out / "units-1.json").write_text("{}")
    again = run_cli("render", language, "units:1", "units:3@-1", "--out", out, *FEW)
    assert "made 1 picture" in again.out
    assert json.loads((out / "units-1.json").read_text()) == about
    checked = run_cli("verify", out)
    assert checked.code == 0 and "same" in checked.out, checked.out + checked.err
    page = (out / "index.html").read_text()
    assert "units-1.json" in page and "units-1.txt" in page
    other = tmp_path / "other"
    assert run_cli("render", "--again", out / "units-1.png", "--out", other).code == 0
    assert (other / "units-1.json").read_bytes() == (out / "units-1.json").read_bytes()


def kerasviz_mean(net, ids):
    import tensorflow as tf

    return tf.reduce_mean(net.activations(words.pictures(ids), ["units"])["units"], axis=1)


def test_taps_show_a_network_of_tokens(run_cli, language):
    listed = run_cli("taps", language, "--all")
    assert listed.code == 0 and "units" in listed.out and "words" in listed.out


def test_python_gives_what_the_command_gives(language):
    rendering = kerasviz.render(str(language), "units:1", tokens=4, steps=3, forbid="5-9")
    ids = rendering[0].image.astype(int).ravel()
    assert rendering[0].image.shape == (1, 4, 1) and not set(ids) & set(range(5, 10))
    assert rendering[0].to_pil().width == 720 and ".json" in rendering[0].companions()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--tokens", "17"), "sequences of 17 tokens cannot be computed, it may take fewer"),
        (("--forbid", "60"), "forbid 60: the network has the ids 0 to 49"),
        (("--forbid", "vowels"), "forbid 'vowels': expected non-ascii, non-letters, or ids"),
        (("--recipe", "article"), "recipe article: makes images, and language takes sequences"),
        (("--precision", "bfloat16"), "a search for tokens computes in float32; leave it out"),
        (("--snapshots", "1"), "a search for tokens has no snapshots and no diversity"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(run_cli, language, tmp_path, options, line):
    ended = run_cli("render", language, "units:1", "--out", tmp_path, "--steps", "1", *options)
    assert ended.code in (1, 2) and line in ended.notes
    assert ended.notes.strip().splitlines()[-1].startswith("kerasviz: ")


def test_a_tokenizer_of_another_network_is_refused(run_cli, tmp_path):
    path = words.bag(tmp_path, length=6)
    (tmp_path / "other.txt").write_text("\n".join(f"w{k}" for k in range(500)))
    begin = ("render", path, "units:1", "--out", tmp_path / "out", "--steps", "1")
    ended = run_cli(*begin, "--tokenizer", tmp_path / "other.txt")
    assert ended.code == 2 and "it has 500 tokens, the network 50" in ended.err
    longer = run_cli(*begin, "--tokens", "7")
    assert longer.code == 2 and "bag takes sequences of 6 tokens; give fewer" in longer.err


def test_options_of_tokens_are_refused_for_images(run_cli, tmp_path):
    command = ("render", "efficientnet-lite0", "block1a:1", "--out", tmp_path, "--steps", "1")
    ended = run_cli(*command, "--tokens", "4")
    assert ended.code == 2 and "tokens: efficientnet-lite0 takes images, no tokens" in ended.err
    recipe = run_cli(*command, "--recipe", "words")
    assert recipe.code == 2 and "recipe words: makes sequences of tokens" in recipe.err
