"""Datasets as arrays: exact, masked, in batches that can be gone on with, under relabellings that equilibria follow."""

from __future__ import annotations

import json
import re
import shutil
import time
from itertools import permutations
from pathlib import Path

import equilibrax as eq
import jax
import numpy as np
import pytest
from equilibrax.datasets import load_arrays, stream_arrays

CONFIG = eq.SweepConfig(
    family="uniform", tables=60, states=2, actions=3, providers=2, shard_size=16, splits=(0.8, 0.1, 0.1), seed=3
)
TARGETS = eq.datasets.INVARIANT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("dataset")
    eq.run_sweep(CONFIG, path)
    return path


@pytest.fixture(scope="module")
def arrays(folder):
    return load_arrays(folder, targets=TARGETS)


def solved(arrays):
    """What the arrays' tables have in equilibrium, solved anew."""
    tables = eq.from_integers(
        arrays.user, arrays.providers, arrays.prior, arrays.available, resolution=arrays.resolution
    )
    return eq.solve(tables, eq.Selection(dynamics=False))


def check_targets(arrays):
    result = solved(arrays)
    for name, values in arrays.targets.items():
        np.testing.assert_allclose(values, getattr(result, name), atol=1e-9, err_msg=name)


def test_arrays_are_the_tables_that_were_solved(folder, arrays):
    tables = eq.sample_tables("uniform", 60, states=2, actions=3, providers=2, seed=3)
    mine = tables.select(arrays.table_id)
    np.testing.assert_array_equal(arrays.user, mine.user)
    np.testing.assert_array_equal(arrays.providers, mine.providers)
    np.testing.assert_array_equal(arrays.prior, mine.prior)
    assert arrays.providers.dtype == np.int32
    assert arrays.providers.shape == (len(arrays), 2, 2, 3)
    assert arrays.committees.tolist() == [1, 2, 3]
    check_targets(arrays)
    sizes = [len(load_arrays(folder, split)) for split in ("train", "validation", "test")]
    assert sum(sizes) == 60
    assert sizes[0] == len(arrays) > 40


def test_the_documented_reshape_gives_the_same(folder, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    [code] = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "reshape(" in block]
    found: dict = {}
    exec(code.replace("DIR", str(folder)), found)
    first = load_arrays(folder)[: found["n"]]
    assert found["rows"]["table_id"].to_pylist() == first.table_id.tolist()
    np.testing.assert_array_equal(found["providers"], first.providers)
    assert found["providers"].dtype == first.providers.dtype


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"split": "trian"}, "split: expected one of train, validation, test, got 'trian'"),
        ({"targets": ["worst_utilty"]}, "got 'worst_utilty'; did you mean 'worst_utility'"),
        ({"targets": ["regret"]}, "targets: expected .*, bound, got 'regret'$"),  # of a sweep that searches
        ({"targets": ["status"]}, "targets: expected .*, got 'status'"),
        ({"library": "tensorflow"}, "library: expected one of 'numpy', 'jax', 'torch'"),
    ],
)
def test_what_is_not_there_is_named(folder, args, message):
    with pytest.raises(ValueError, match=message):
        load_arrays(folder, **args)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder: expected a sweep of tables"):
        load_arrays(tmp_path)


def test_a_folder_that_declares_any_number_of_tables_is_read_no_further(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    said = json.loads((copy / "sweep.json").read_text())
    said["config"]["tables"] = 10**15
    (copy / "sweep.json").write_text(json.dumps(said))
    assert len(load_arrays(copy, "train").table_id) <= len(load_arrays(folder, "train").table_id)


@pytest.mark.parametrize("said", [{"tables": 0}, {"tables": -5}, {"shard_size": 0}, {"shard_size": -8}])
def test_a_folder_that_declares_nothing_is_none(folder, tmp_path, said):
    """Merging it ended in a KeyError."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    found = json.loads((copy / "sweep.json").read_text())
    found["config"] |= said
    (copy / "sweep.json").write_text(json.dumps(found))
    for read in (load_arrays, eq.datasets.merge):
        with pytest.raises(ValueError, match=r"sweep\.json: expected the description of a sweep, got something else"):
            read(copy)


def test_smaller_tables_are_filled_and_masked(tmp_path):
    parts = [
        eq.datasets.MixturePart("uniform", 0.5, states=2, actions=3, providers=1),
        eq.datasets.MixturePart("uniform", 0.5, states=3, actions=2, providers=2),
    ]
    eq.run_sweep(eq.SweepConfig(tables=32, mixture=tuple(parts), shard_size=8, splits=(1, 0, 0)), tmp_path)
    arrays = load_arrays(tmp_path, targets=("worst_utility", "equilibria"))
    assert arrays.providers.shape == (32, 2, 3, 3)
    small = ~arrays.real_providers[:, 1]
    assert 0 < small.sum() < 32
    assert not arrays.available[small][:, 2].any()
    assert not arrays.available[~small][:, :, 2].any()
    assert not arrays.real_states[small][:, 2].any()
    assert np.isnan(arrays.targets["worst_utility"][small][:, 1:]).all()
    assert (arrays.targets["equilibria"][small][:, 1:] == -1).all()
    assert np.isfinite(arrays.targets["worst_utility"][~small]).all()
    again = arrays.augment(1)
    np.testing.assert_array_equal(again.real_providers, arrays.real_providers)
    np.testing.assert_array_equal(again.available.sum(axis=(1, 2)), arrays.available.sum(axis=(1, 2)))
    np.testing.assert_array_equal(again.targets["worst_utility"][small], arrays.targets["worst_utility"][small])


# --- relabelling ----------------------------------------------------------------------------------------------------


def test_targets_that_are_empty_are_refused(tmp_path):
    """A search of lotteries knows no worst equilibrium, and NaN is no target."""
    game = eq.Joint(rules="lotteries", search=eq.GradientSearch(starts=2, steps=20))
    eq.run_sweep(eq.SweepConfig(tables=2, states=2, actions=2, providers=2, splits=(1, 0, 0), game=game), tmp_path)
    with pytest.raises(ValueError, match="targets: expected a column with numbers, got 'worst_utility'"):
        load_arrays(tmp_path)
    assert np.isfinite(load_arrays(tmp_path, targets=["user_utility"]).targets["user_utility"]).any()


def test_equilibria_move_along(arrays):
    again = arrays.augment(7)
    assert (again.user != arrays.user).any()
    assert (again.targets["worst_utility"] != arrays.targets["worst_utility"]).any()
    check_targets(again)
    drawn = arrays.augment(jax.random.key(7))
    check_targets(drawn)
    assert (drawn.user != again.user).any()
    with pytest.raises(ValueError, match="key: expected a whole number"):
        arrays.augment("seven")
    other = arrays.augment(8)
    assert (other.user != again.user).any()
    np.testing.assert_array_equal(arrays[5:9].augment(7).providers, again.providers[5:9])  # of the table alone
    only = arrays.augment(7, states=False, actions=False)
    np.testing.assert_array_equal(only.user, arrays.user)
    check_targets(only)


def test_every_relabelling_is_drawn(arrays):
    rows = arrays[np.zeros(400, int)]
    numbered = eq.datasets.TableArrays(
        **{
            **vars(rows),
            "table_id": np.arange(400),
            "providers": np.tile(np.arange(12).reshape(1, 2, 2, 3), (400, 1, 1, 1)),
        }
    )
    seen = {tuple(p.ravel().tolist()) for p in numbered.augment(0).providers}
    assert len(seen) == 2 * 2 * 6


def test_relabelled_twins_have_one_canonical_form(arrays):
    canonical = arrays.canonicalize()
    check_targets(canonical)
    for key in range(3):
        twin = arrays.augment(key).canonicalize()
        for name in ("user", "providers", "prior", "available"):
            np.testing.assert_array_equal(getattr(twin, name), getattr(canonical, name))
        for name in TARGETS:
            np.testing.assert_array_equal(twin.targets[name], canonical.targets[name], err_msg=name)
    forms = {tuple(p.ravel().tolist()) for p in canonical.providers}
    assert len(forms) == len(canonical)


def test_the_canonical_form_is_the_smallest_of_all(arrays):
    """By a second way: all relabellings of one table, one after the other."""
    one = arrays[3:4]

    def parts(states, actions, providers):
        user, others = one.user[0][np.ix_(states, actions)], one.providers[0][np.ix_(providers, states, actions)]
        return one.prior[0][list(states)].tolist(), user.ravel().tolist(), others.ravel().tolist()

    orders = [list(permutations(range(n))) for n in (2, 3, 2)]
    smallest = min(parts(x, a, k) for x in orders[0] for a in orders[1] for k in orders[2])
    found = one.canonicalize()
    assert (found.prior[0].tolist(), found.user.ravel().tolist(), found.providers.ravel().tolist()) == smallest


def test_targets_that_do_not_move_along_are_refused(folder, arrays):
    with pytest.raises(ValueError, match=r"targets: expected only optimum, .*, got 'dynamics_utility'"):
        load_arrays(folder, targets=["dynamics_utility"]).augment(0)
    lowest = eq.datasets.TableArrays(**{**vars(arrays), "tie_break": "lowest_index"})
    with pytest.raises(ValueError, match="tie_break"):
        lowest.augment(0)
    assert len(lowest.augment(0, providers=False)) == len(arrays)


# --- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_every_epoch_has_every_table_once_in_another_order(folder, arrays, where):
    stream = arrays.batches(7, seed=1) if where == "memory" else stream_arrays(folder, size=7, seed=1, targets=TARGETS)
    epochs = [[next(stream) for _ in range(len(stream))] for _ in range(2)]
    orders = [[i for batch in epoch for i in batch.table_id.tolist()] for epoch in epochs]
    assert sorted(orders[0]) == sorted(orders[1]) == arrays.table_id.tolist()
    assert orders[0] != orders[1]
    assert stream.state == {"epoch": 2, "batch": 0, "size": 7, "seed": 1, "tables": len(arrays)}
    place = {i: n for n, i in enumerate(arrays.table_id.tolist())}
    for batch in epochs[0]:
        rows = [place[i] for i in batch.table_id.tolist()]
        np.testing.assert_array_equal(batch.providers, arrays.providers[rows])
        np.testing.assert_array_equal(batch.targets["bound"], arrays.targets["bound"][rows])


@pytest.mark.parametrize("given", [0, 1, 5, 9, 13])
def test_a_stream_goes_on_with_the_same_batch(folder, given):
    stream = stream_arrays(folder, size=6, seed=2)
    for _ in range(given):
        next(stream)
    state = json.loads(json.dumps(stream.state))
    again = stream_arrays(folder, size=6, seed=2, state=state)
    for _ in range(10):
        mine, others = next(stream), next(again)
        np.testing.assert_array_equal(mine.table_id, others.table_id)
        np.testing.assert_array_equal(mine.user, others.user)
    with pytest.raises(ValueError, match="state: expected size 5, as this stream has, got 6"):
        stream_arrays(folder, size=5, seed=2, state=state)


def test_without_a_seed_the_order_is_that_of_the_dataset(folder, arrays):
    batch = next(stream_arrays(folder, size=len(arrays), seed=None))
    np.testing.assert_array_equal(batch.table_id, arrays.table_id)


def test_a_small_model_learns_from_batches(folder):
    """The worst utility with both providers, from the table: better than the mean, after an interruption too."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def features(batch):
        both = np.concatenate([batch.user[:, None], batch.providers], axis=1) / batch.resolution
        return jnp.asarray(both.reshape(len(batch), -1) - 0.5), jnp.asarray(batch.targets["worst_utility"][:, -1])

    @jax.jit
    def loss(weights, x, y):
        hidden = jnp.tanh(x @ weights[0] + weights[1])
        return ((hidden @ weights[2] + weights[3] - y) ** 2).mean()

    step = jax.jit(lambda w, x, y: [p - 0.1 * g for p, g in zip(w, jax.grad(loss)(w, x, y))])
    rng = np.random.default_rng(0)
    weights = [jnp.asarray(rng.normal(size=s) * 0.3) for s in ((18, 16), (16,), (16,), ())]
    stream, arrays = stream_arrays(folder, size=16, seed=0), load_arrays(folder)
    for i in range(400):
        if i == 100:  # interrupted
            stream = stream_arrays(folder, size=16, seed=0, state=stream.state)
        weights = step(weights, *features(next(stream)))
    x, y = features(arrays)
    assert float(loss(weights, x, y)) < 0.5 * float(y.var())


def test_arrays_of_other_libraries_hold_the_same(arrays):
    jax = pytest.importorskip("jax")
    found = arrays.to("jax")
    assert isinstance(found.user, jax.Array)
    np.testing.assert_array_equal(found.providers, arrays.providers)
    np.testing.assert_array_equal(found.targets["equilibria"], arrays.targets["equilibria"])
    assert found.table_id.dtype == np.int64
    wide = eq.datasets.TableArrays(**{**vars(arrays), "targets": {"equilibria": np.full((len(arrays), 3), 2**40)}})
    if not jax.config.read("jax_enable_x64"):
        with pytest.raises(ValueError, match="expected whole numbers of 32 bits"):
            wide.to("jax")


def test_a_small_model_learns_in_torch_too(folder):
    """As in JAX, from batches whose memory is shared, gone on with after an interruption."""
    torch = pytest.importorskip("torch")

    def features(batch):
        batch = batch.to("torch")
        both = torch.cat([batch.user[:, None], batch.providers], dim=1) / batch.resolution
        return both.flatten(1).double() - 0.5, batch.targets["worst_utility"][:, -1:]

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(18, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    stream = stream_arrays(folder, size=16, seed=0)
    for i in range(300):
        if i == 100:  # interrupted
            stream = stream_arrays(folder, size=16, seed=0, state=json.loads(json.dumps(stream.state)))
        x, y = features(next(stream))
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    x, y = features(load_arrays(folder))
    assert float(((model(x) - y) ** 2).mean().detach()) < 0.5 * float(y.var())


def test_torch_shares_the_memory(arrays):
    torch = pytest.importorskip("torch")
    found = arrays.to("torch")
    assert found.user.dtype == torch.int32
    found.user[0, 0, 0] = 77
    assert arrays.user[0, 0, 0] == 77


@pytest.mark.slow
def test_a_hundred_thousand_tables_take_less_than_a_second(tmp_path):
    config = eq.SweepConfig(tables=100_000, states=2, actions=2, providers=3, splits=(1, 0, 0), shard_size=2**15)
    config = eq.SweepConfig(**{**vars(config), "game": eq.Selection(dynamics=False, misalignment=False)})
    eq.run_sweep(config, tmp_path)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        arrays = load_arrays(tmp_path)
        seconds.append(time.perf_counter() - started)
    assert len(arrays) == 100_000
    assert min(seconds) < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: eq.datasets.load_arrays(None), "folder: expected a path, got None"),
        (lambda folder: eq.datasets.load_arrays(folder, targets=3), "targets: expected names of columns, got 3"),
        (lambda folder: eq.datasets.stream_arrays(folder, size=2, state="x"), "state: expected that of such a stream"),
    ],
)
def test_arguments_of_another_kind_are_named(folder, call, message):
    with pytest.raises(ValueError, match=message):
        call(folder)
