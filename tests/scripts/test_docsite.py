"""scripts/docsite: pages become a site with what their commands and cells give."""

import json
import re

import numpy as np
import pytest
from docsite import commands, fill, notebooks, reference
from docsite.commands import Size
from docsite.notebooks import Notebooks, execute, show
from docsite.pages import Block, blocks, links, replace_blocks
from docsite.results import Results
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_output
from PIL import Image
from support.onnx_models import write_convolutions

from kerasviz.cli import commands as cli
from kerasviz.optvis.recipes import RECIPES

FLOAT = "--precision float32"
PAGE = """\
# Title

```sh pictures
kerasviz render a b:1 \\
  --steps 2   # two
# nothing

kerasviz taps a
```

Some `[no](link.md)` and [a link](there.md#part), ![a picture](x.webp).

```json small.json
{"steps": 2}
```
"""


def test_blocks_have_a_language_words_and_a_place():
    shell, data = blocks(PAGE)
    assert (shell.language, shell.words, shell.line) == ("sh", ("pictures",), 4)
    assert shell.commands == ["kerasviz render a b:1    --steps 2", "kerasviz taps a"]
    assert (data.language, data.words, data.text) == ("json", ("small.json",), '{"steps": 2}\n')
    assert PAGE.splitlines()[data.line - 1] == data.text.strip()


def test_blocks_are_replaced_in_their_order():
    text = replace_blocks(PAGE, lambda block: f"<{block.language}>")
    assert text.count("<sh>") == text.count("<json>") == 1 and "```" not in text
    same = replace_blocks(PAGE, lambda b: f"```{' '.join([b.language, *b.words])}\n{b.text}```")
    assert same == PAGE


def test_links_in_code_are_none():
    assert links(PAGE) == ["there.md#part", "x.webp"]


@pytest.mark.parametrize(
    ("command", "short"),
    [
        ("render m a:1 --steps 512 --size 96x128", f"render m a:1 --steps 4 --size 48x48 {FLOAT}"),
        (f"render m a:1 --steps 2 --size 32 {FLOAT}", f"render m a:1 --steps 2 --size 32 {FLOAT}"),
        ("render m a --snapshots 0,2,8,32", f"render m a --snapshots 0,2,4 {FLOAT}"),
        ("render --again a.png --steps 9", "render --again a.png --steps 4"),
        ("export m served --steps-max 64", "export m served --steps-max 4"),
        ("verify folder --size 96", "verify folder --size 96"),
        ("atlas m a --size 64", f"atlas m a --size 48 {FLOAT} --steps 4"),
        ("atlas m a --steps 2", f"atlas m a --steps 2 {FLOAT}"),
    ],
)
def test_commands_are_shortened(command, short):
    assert Size().shorten_command(command.split()) == short.split()


def test_pictures_of_an_atlas_have_few_steps_in_any_case():
    assert Size(steps=24).shorten_command(["atlas", "m"])[-2:] == ["--steps", "4"]


def test_python_is_shortened():
    text = "render(net, 'a:128', steps=512, size=96, stepsize=99)"
    assert Size().shorten_python(text) == "render(net, 'a:128', steps=4, size=96, stepsize=99)"


def test_recipes_are_short_for_a_while():
    full = dict(RECIPES)
    with Size().short_recipes():
        assert {r.steps for r in RECIPES.values()} == {4}
    assert full == RECIPES


def results(folder, code="code"):
    return Results(folder / "results", folder / "site", code)


def test_a_page_shows_the_very_pictures_of_its_commands(tmp_path):
    model = write_convolutions(tmp_path / "model.onnx", 8)
    common = f"kerasviz render {model} relu2:1 --preprocess unit --size 24x31 --recipe small.json"
    block = Block("sh", ("pictures",), f"{common}\n{common} --seed 1\n", 1)
    first = results(tmp_path)
    html = first.figures(block, {"small.json": '{"steps": 2}'}, "../")
    assert first.made == 2
    files = re.findall(r'<img src="\.\./([^"]+)" width="31" height="24"', html)
    assert len(files) == 2 and "<code>--seed 1</code>" in html
    made = sorted((tmp_path / "results").glob("*/out/model/relu2-1.png"))
    for png in made:
        (webp,) = (f for f in files if png.parents[2].name in f)
        with Image.open(png) as one, Image.open(tmp_path / "site" / webp) as other:
            difference = np.abs(np.asarray(one, np.float32) - np.asarray(other.convert("RGB")))
        assert difference.mean() < 12
    again = results(tmp_path)
    assert again.figures(block, {"small.json": '{"steps": 2}'}, "../") == html
    assert again.made == 0
    other = results(tmp_path)
    other.figures(block, {"small.json": '{"steps": 3}'}, "../")
    assert other.made == 2, "another recipe file makes other pictures"


def test_stages_are_shown_before_the_picture(tmp_path):
    model = write_convolutions(tmp_path / "model.onnx", 8)
    command = f"kerasviz render {model} relu2:1 --preprocess unit --size 24 --steps 4"
    block = Block("sh", ("pictures",), f"{command} --snapshots 0,2\n", 1)
    html = results(tmp_path).figures(block, {}, "")
    assert re.findall(r"<br>(after \d|score)", html) == ["after 0", "after 2", "score"]


def test_what_a_command_prints_is_shown(tmp_path):
    model = write_convolutions(tmp_path / "model.onnx", 8)
    text = results(tmp_path).output(Block("sh", ("output",), f"kerasviz taps {model}\n", 1), {})
    assert "relu2" in text


@pytest.mark.parametrize("command", ["kerasviz render nothing.onnx a:1", "rm -r x", "kerasviz no"])
def test_a_command_that_fails_stops_the_build(command, tmp_path):
    with pytest.raises(RuntimeError, match=command.split()[1]):
        commands.run(command, tmp_path)


def test_cells_are_executed_and_shown(tmp_path):
    source = "# A page\n\n```python\nx = 20\nprint('printed')\nx + 1\n```\n\nThe end.\n"
    made = Notebooks(tmp_path / "kept", tmp_path, "code")
    page = made.page(source, "page")
    parts = ["# A page", "page.ipynb", "```python\nx = 20", "printed", "\n21\n", "The end."]
    places = [page.index(part) for part in parts]
    assert places == sorted(places) and made.made == 1
    cells = json.loads((tmp_path / "page.ipynb").read_text())["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "markdown"]
    again = Notebooks(tmp_path / "kept", tmp_path, "code")
    assert again.page(source, "page") == page and again.made == 0


def test_a_cell_that_fails_stops_the_build(tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute("```python\n1 / 0\n```\n", tmp_path)


def test_a_shortened_notebook_shows_what_the_page_says(tmp_path):
    text = "from kerasviz.optvis.recipes import RECIPES\nRECIPES['fast'].steps, dict(steps=512)"
    (cell,) = execute(f"```python\n{text}\n```\n", tmp_path, Size()).cells
    assert cell.source == text
    assert cell.outputs[0].data["text/plain"] == "(4, {'steps': 4})"


def test_outputs_become_markdown():
    stream = new_output("stream", name="stdout", text="10%\r\x1b[1m100%\x1b[0m\n")
    assert show(stream) == "```text\n100%\n```"
    html = new_output("display_data", {"text/html": "<b>1</b>\n\n<b>2</b>", "text/plain": "no"})
    assert "<b>1</b>\n<b>2</b></template>" in show(html) and "no" not in show(html)
    picture = new_output("display_data", {"image/png": "aGk=\n", "text/plain": "no"})
    assert 'src="data:image/png;base64,aGk="' in show(picture)
    assert notebooks.show(new_output("execute_result", {"text/plain": ""})) == ""


def test_files_of_a_page_have_their_names(tmp_path):
    page = fill.fill_page(PAGE.replace("sh pictures", "sh"), "a/b.md", results(tmp_path))
    assert '```json title="small.json"\n{"steps": 2}' in page
    moved = fill.fill_page("![p](../../../models/pictures/a.webp)", "howto/a.md", results(tmp_path))
    assert moved == "![p](../pictures/a.webp)"


def test_all_commands_are_in_the_reference():
    text = reference.command_reference()
    for name in cli.commands:
        assert f"\n### kerasviz {name}\n" in text
    assert "### kerasviz models fetch" in text and "--until-converged" in text


def test_all_routes_are_in_the_reference():
    text = reference.http_reference()
    assert "### POST `/api/renders`" in text
    assert "### GET `/api/networks/{name}/unit`" in text
    anchors = {name.lower() for name in re.findall(r"^### (\w+)$", text, re.M)}
    assert set(re.findall(r"\(#(\w+)\)", text)) <= anchors


def test_what_tensorflow_says_at_its_import_is_left_out(tmp_path):
    line = "I0000 00:00:1795983371.27 23636 port.cc:153] oneDNN custom operations are on."
    quiet, loud = (f"import sys\nprint({text!r}, file=sys.stderr)" for text in (line, "a warning"))
    source = f"```python\n{quiet}\n```\n\n```python\n{loud}\n```\n"
    first, second = execute(source, tmp_path).cells
    assert first.outputs == [] and second.outputs[0].text == "a warning\n"
