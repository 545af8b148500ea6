"""The pictures of the README and the documents, drawn anew: `python docs/pictures.py [NAME...]`, minutes for all.

Figures are those of the commands and functions that stand beside them; the animation of the page is taken with
a headless Chromium (`tests/oracles/chromium.py`), for which `tests/oracles` has to be on PYTHONPATH. Figure 5 with
lotteries is drawn by `benchmarks/lotteries.py`.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import equilibrax as eq
import pyarrow as pa
from equilibrax.cli import main
from PIL import Image

HERE = Path(__file__).parent
_SIZE = (1180, 800)  # of the window, in pixels
_SHARE = 0.8  # of it in the animation


def command(line: str) -> None:
    """Run a command as the documents have it."""
    if main(line.split()):
        raise SystemExit(f"equilibrax {line}: failed")


def paper(folder: Path) -> None:
    """Figures 5, 6 and 7 of the paper, and Figure 5 of 10,000 random tables."""
    command(f"reproduce --out {folder}")
    for number in (5, 6, 7):
        shutil.copy(folder / f"figure{number}.png", HERE)
    shutil.copy(folder / "sweep" / "figure5.png", HERE / "sweep-figure5.png")


def comparisons(folder: Path) -> None:
    """Every game: for the paper's tables, and for random ones."""
    command(f"compare synthetic-1 synthetic-2 movielens --figure {folder / 'compare.png'}")
    command(f"compare --family uniform --tables 1000 --figure {folder / 'compare-uniform.png'}")
    for name in ("compare.png", "compare-uniform.png"):
        shutil.copy(folder / name, HERE)


def markets(folder: Path) -> None:
    """Bounds, numbers of providers, newcomers."""
    command(f"sweep --users 2 --providers 3 --alignment strong --error 0.03 --tables 500 --out {folder / 'markets'}")
    command(f"plot {folder / 'markets'} --out {folder}")
    shutil.copy(folder / "bound.png", HERE / "market-bounds.png")
    shutil.copy(folder / "providers.png", HERE / "market-providers.png")
    command(f"entry --alignment strong --markets 1000 --newcomers 4 --figure {folder / 'entry.png'}")
    shutil.copy(folder / "entry.png", HERE)


def raters(folder: Path) -> None:
    """Four families of simulated raters."""
    command(f"align --simulate independent correlated systematic personas --out {folder}")
    shutil.copy(folder / "error.png", HERE / "align.png")


def information(_: Path) -> None:
    """Markets of information of every depth."""
    kinds = [(family, "face_value") for family in eq.problems.PROBLEM_FAMILIES] + [("uniform", "bayesian")]
    games = [(eq.random_problems(family, 10_000), eq.InformationMarket(buyer=buyer)) for family, buyer in kinds]
    rows = pa.concat_tables([eq.rows.depth_rows(eq.solve(problems, game)) for problems, game in games])
    eq.figures.depth_figure(rows, HERE / "bazaars.png")


def page(folder: Path) -> None:
    """The page of MovieLens, played with: providers enter, a utility moves, best responses step by step."""
    from chromium import Browser, find_browser

    eq.explore(eq.load_paper_table("movielens")).save(folder / "page.html")
    with Browser(find_browser() or "chromium", folder / "browser") as browser:
        browser.resize(*_SIZE)
        browser.call("Emulation.setScrollbarsHidden", hidden=True)
        browser.open(folder / "page.html")
        frames = [(_frame(browser, folder), wait) for wait in _play(browser)]
    pictures = [picture for picture, _ in frames]
    palette = pictures[-1].quantize(128, Image.Quantize.MAXCOVERAGE)  # which keeps the colours of thin lines
    first, *rest = (one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures)
    options = {"duration": [wait for _, wait in frames], "loop": 0, "optimize": True, "disposal": 1}
    first.save(HERE / "explore.gif", save_all=True, append_images=rest, **options)


def _frame(browser, folder: Path) -> Image.Image:
    browser.screenshot(folder / "frame.png", whole=False)
    picture = Image.open(io.BytesIO((folder / "frame.png").read_bytes())).convert("RGB")
    return picture.resize([round(_SHARE * side) for side in _SIZE], Image.Resampling.LANCZOS)


def _play(browser) -> Iterator[int]:
    """What a reader does, with the milliseconds that each view is shown."""
    for j in (5, 4, 3, 2, 1):  # alone with the first provider
        browser.click(f"#member-{j}")
    browser.evaluate("scrollTo(0, 0)")
    yield 1500
    for j in range(1, 6):
        browser.click(f"#member-{j}")
        browser.evaluate("scrollTo(0, 0)")
        yield 900
    for j in (0, 4, 5):
        browser.click(f"#member-{j}")
    browser.evaluate("scrollTo(0, 0)")
    yield 1500
    for share in (0.8, 0.7, 0.6, 0.9, 1.0):
        browser.evaluate(
            "(() => { const s = document.getElementById('slide'); "
            f"s.value = Number(s.min) + {share} * (Number(s.max) - Number(s.min)); "
            "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        yield 700
    browser.click("#to-worst")
    browser.evaluate("scrollTo(0, 0)")
    yield 1800


PICTURES: dict[str, Callable[[Path], None]] = {
    one.__name__: one for one in (paper, comparisons, markets, raters, information, page)
}


if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as place:
            PICTURES[name](Path(place))
