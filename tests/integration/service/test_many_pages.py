"""Pages that are open at once are served in turn, however much one of them wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from load_pages import evenness, failures, open_pages
from support.running_service import running

from kerasviz.service.settings import ServiceSettings

#: Pages, seconds for which they are open, and how often at most until each has some pictures.
PAGES, SECONDS, TIMES, SOME = 6, 4.0, 15, 4


def test_no_page_waits_for_one_that_wants_much(
    setting: Callable[..., ServiceSettings], tmp_path: Path
) -> None:
    with running(setting(workers=1)) as address:
        while httpx.get(f"{address}/readyz", timeout=60).status_code != 200:
            pass
        greedy: dict[str, Any] = {"network": "small", "steps": 256, "size": 32}
        for k in range(4):  # 256 pictures
            targets = [f"relu:{n % 6} + {1 + n // 6}*logits:{k}" for n in range(64)]
            body = {**greedy, "targets": targets}
            answer = httpx.post(f"{address}/api/renders", json=body, headers={"X-Client": "greedy"})
            assert answer.status_code == 202, answer.text
        port = urlsplit(address).port or 0
        counts = [0] * PAGES
        for _ in range(TIMES):  # a busy machine takes longer for enough to compare
            pages = asyncio.run(open_pages(port, "small", PAGES, SECONDS))
            assert failures(pages) == 0
            counts = [n + page.pictures for n, page in zip(counts, pages, strict=True)]
            if min(counts) >= SOME:
                break
        jobs = httpx.get(f"{address}/api/renders?limit=500").json()
        left = [job["state"] for job in jobs if len(job["targets"]) == 64]
    assert min(counts) > 0 and evenness(counts) > 0.8, counts
    assert "done" not in left, "the others did not wait for it"


@pytest.mark.parametrize(("counts", "index"), [([2, 2], 1.0), ([4, 0], 0.5), ([0, 0], 0.0)])
def test_the_index_of_fairness(counts: list[int], index: float) -> None:
    assert evenness(counts) == index
