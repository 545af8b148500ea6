"""Flags: errors name the one that was typed, and one that would change nothing is refused where it is typed."""

from __future__ import annotations

import shlex
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Annotated, get_args, get_origin, get_type_hints

import equilibrax as eq
import pytest
from equilibrax.cli import COMMANDS, main
from equilibrax.cli._flags import composed, games_of

BASES = {
    "Solve": "table.csv",
    "Sweep": "--tables 2 --states 2 --actions 2 --providers 2 --out new",
    "MarketSweep": "--tables 2 --states 2 --actions 2 --providers 2 --users 2 --out new",
    "InformationSweep": "--items 2 --tables 2 --states 2 --out new",
    "MarketCommand": "market.csv",
    "EntryCommand": "--markets 1",
    "Information": "problem.csv",
    "Compare": "--family uniform --states 2 --actions 2 --providers 2 --rationality 1",
    "NashCommand": "game.nfg",
    "Align": "--simulate independent --items 20 --raters 3 --permutations 2 --out new",
    "FamiliesCommand": "near_hull",
    "Explore": "table.csv",
    "Plot": "folder",
    "Verify": "folder",
}
"""What is well said, apart from the flag that is not."""

ANYTHING = {
    *("--out", "--figure", "--report", "--allow", "--licence", "--mixture", "--parameter", "--ray", "--game"),
    *("--list-families", "--random-order", "--search-seed"),
}
"""Flags that take any text or number, or are looked at elsewhere."""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("state,action,user,Ann,Bob\nx,a,1,0,1\nx,b,0,1,0\ny,a,0,1,0\ny,b,1,0,1\n")
    (tmp_path / "ratings.csv").write_text("item,target,one\n" + "".join(f"{i},{i % 3},{i % 5}\n" for i in range(9)))
    rows = [f"{x},{u},{a},{int(x == a)},1,0\n" for u in "uv" for x in "ab" for a in "ab"]
    (tmp_path / "market.csv").write_text("state,user,action,utility,Ann,Bob\n" + "".join(rows))
    (tmp_path / "problem.csv").write_text("state,act,utility,says:a\nx,l,1,1\nx,r,0,1\ny,l,0,2\ny,r,1,2\n")
    eq.write_nfg(eq.tragedy_of_power(), tmp_path / "game.nfg")
    (tmp_path / "folder").mkdir()
    return tmp_path


def said(arguments, capsys):
    """The error, without what every one begins with."""
    capsys.readouterr()
    assert main(shlex.split(arguments) if isinstance(arguments, str) else arguments) == 2, arguments
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("equilibrax: error: ")
    return error.removeprefix("equilibrax: error: ")


def flags_below(command):
    """Every flag of a command with the type of its value, told from the dataclasses alone."""
    hints = get_type_hints(command, include_extras=True)
    for field in fields(command):
        kind, *about = (
            get_args(hints[field.name]) if get_origin(hints[field.name]) is Annotated else (hints[field.name],)
        )
        if any(word in repr(about) for word in ("Suppress", "Positional")):
            continue
        if is_dataclass(kind):
            yield from flags_below(kind)
        else:
            name = next((one.name for one in about if getattr(one, "name", None)), field.name)
            yield "--" + name.replace("_", "-"), kind


def walk():
    """Every flag of every command and game once: what is typed before, the flag, and a value that it does not take."""
    seen = set()
    for name, (cls, _) in COMMANDS.items():
        command = getattr(import_module(f"equilibrax.cli.{name}"), cls)
        more = [command.variant([flag]) for flag in getattr(command, "variant_flags", ())]
        for variant in (command, *more):
            if variant.__name__ not in BASES:
                continue
            for game, kinds in (games_of(variant, None) or {"": ()}).items():
                for flag, kind in flags_below(composed(variant, kinds)):
                    if kind is bool or flag in ANYTHING or (variant.__name__, flag) in seen:
                        continue
                    seen.add((variant.__name__, flag))
                    number = kind in (int, float, int | None, float | None)
                    start = f"{name} {f'--game {game}' if game else ''} {BASES[variant.__name__]}"
                    yield start, flag, "-7" if number else "nonsense"


def test_the_walk_meets_flags_of_every_kind():
    flags = {flag for _, flag, _ in walk()}
    assert {"--rationality", "--range", "--search-starts", "--tables", "--sep", "--width", "--beta"} <= flags
    assert len(list(walk())) > 200


@pytest.mark.slow
def test_every_error_names_the_flag_that_was_typed(capsys):
    wrong = []
    for start, flag, value in walk():
        error = said([*start.split(), flag, value], capsys)
        after_file = error.partition(": ")[2] if ".csv" in error.partition(": ")[0] else error
        if not after_file.startswith(f"{flag}: expected"):
            wrong.append(f"{start} {flag} {value}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("solve table.csv --rationality 1,x --game joint", "--rationality: expected numbers"),
        ("sweep --users 2 --tables -3 --out new", "--tables: expected a whole number of at least 1, got -3"),
        ("sweep --stratify misalignment --range 3,1 --out new", "--range: expected two numbers"),
        ("sweep --out .", "--out: expected the folder of a sweep"),
        ("sweep --providers 16 --out new", "--shard-size: expected at most 64 tables"),
        ("sweep --mixture none.toml --out new", "--mixture: expected a readable file, got none.toml: No such file"),
        ("entry --newcomers -3", "--newcomers: expected a whole number"),
        ("solve table.csv --ignore z", "table.csv, line 1: --ignore: expected 'z' among"),
        ("verify folder --manifest-sha256 q", "--manifest-sha256: expected 64 hexadecimal digits"),
        ("solve nowhere", "TABLE: expected a file"),
    ],
)
def test_fields_that_are_called_otherwise_become_their_flags(arguments, error, capsys):
    assert said(arguments, capsys).startswith(error)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            "solve table.csv --rules lotteries --random-order 3 --deviation minimal",
            "--random-order: expected none with --rules lotteries, among which providers have no best reply, got "
            "--random-order 3 --deviation minimal",
        ),
        (
            "sweep --game joint --text --out new",
            "--text: expected the selection game with schemes, got the joint game with partitions",
        ),
        (
            "market market.csv --game personalized --protocol delegation --rationality 3",
            '--rationality: expected "best" with --protocol delegation, got --rationality 3',
        ),
    ],
)
def test_what_came_is_what_was_typed(arguments, error, capsys):
    assert said(arguments, capsys) == error


@pytest.mark.parametrize(
    ("arguments", "flag", "where"),
    [
        ("solve table.csv --game joint --search-starts 3", "--search-starts", "beside --rules lotteries"),
        ("solve table.csv --no-dynamics --step-limit 3", "--step-limit", "beside --dynamics"),
        ("solve table.csv --no-dynamics --deviation minimal", "--deviation", "beside --dynamics"),
        ("solve table.csv --game obedient --tolerance 1", "--tolerance", "beside --rationality"),
        ("solve table.csv --method dense --capacity 9", "--capacity", "beside --method frontier"),
        ("solve synthetic-1 --sep ;", "--sep", "for files of rows"),
        ("sweep --max-retries 3 --out new", "--max-retries", "beside --ray"),
        ("sweep --bins 5 --out new", "--bins", "beside --stratify misalignment"),
        ("sweep --equilibria-cap 5 --out new", "--equilibria-cap", "beside --columns equilibria"),
        ("sweep --users 2 --alignment none --error 0.1 --out new", "--error", "beside --alignment weak or strong"),
        ("market market.csv --eps 0.3", "--eps", "for theorem-4.1"),
        ("market theorem-5.2 --grid 3", "--grid", "for proposition-a.2"),
        ("market theorem-4.1 --decimal ,", "--decimal", "for files"),
        ("market market.csv --width 85", "--width", "beside --figure"),
        ("entry market.csv --users 3", "--users", "without MARKET"),
        ("entry --sep ;", "--sep", "with MARKET"),
        ("information problem.csv --mechanism naive --buyer bayesian", "--buyer", "beside --mechanism bazaar"),
        ("information problem.csv --style talk", "--style", "beside --figure"),
        ("compare table.csv --states 4", "--states", "beside --family"),
        ("compare --family uniform --ignore x", "--ignore", "for files"),
        ("compare table.csv --rationality '' --tolerance 1", "--tolerance", "beside --rationality"),
        ("families tables --width 100", "--width", "beside --figure"),
        ("verify folder --seed 3", "--seed", "beside --sample or --programs"),
        ("align --simulate answers --target z --out new", "--target", "for a CSV of ratings, or ETHICS"),
        ("align --simulate independent --users 3 --out new", "--users", "beside --simulate answers"),
        ("align ratings.csv --noise 0.3 --out new", "--noise", "beside --simulate"),
        ("align ratings.csv --models m.json --out new", "--models", "for OpinionQA"),
        ("align ratings.csv --score log --out new", "--score", "for answers of many users"),
    ],
)
def test_a_flag_that_would_change_nothing_is_refused(arguments, flag, where, capsys):
    error = said(arguments, capsys)
    assert error.startswith(f"{flag}: expected only {where}")
    assert error.endswith("it changes nothing here")


def test_dynamics_among_lotteries_are_refused_where_they_are_asked_for(capsys):
    for game in ("selection", "joint"):
        error = said(f"solve table.csv --game {game} --rules lotteries --dynamics", capsys)
        assert error.startswith("--dynamics: expected none with --rules lotteries")
    assert main(["solve", "table.csv", "--rules", "lotteries", "--no-dynamics"]) == 0


def test_entry_has_no_flags_of_dynamics(capsys):
    assert "--dynamics: expected a flag of `equilibrax entry" in said("entry --dynamics", capsys)
