"""Sweeps on Ray: the same bytes as one process makes, also when workers and whole machines die."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from equilibrax.cli import main
from equilibrax.datasets import _pipeline, ray as cluster
from equilibrax.datasets.ray import run_sweep_on_ray
from equilibrax.datasets.sweep import SweepConfig, run_sweep

pytestmark = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")  # Ray starts its daemons

SMALL = SweepConfig(tables=76, states=2, actions=2, providers=2, shard_size=4, seed=5)  # 19 shards


def digests(folder) -> dict[str, str]:
    found = {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if path.is_file()}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    assert run_sweep(SMALL, folder).closed
    return digests(folder)


@pytest.fixture(scope="module")
def nodes():
    """A head without cores and a machine with two, to which tests add others; and a connection."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    machines.add_node(num_cpus=2)
    ray.init(address=machines.address, log_to_driver=False, logging_level="ERROR")
    yield machines
    ray.shutdown()
    machines.shutdown()


@pytest.mark.slow
def test_the_bytes_of_one_process(nodes, reference, tmp_path, in_flight):
    seen = []
    report = run_sweep_on_ray(SMALL, tmp_path, progress=lambda *count: seen.append(count))
    assert digests(tmp_path) == reference
    assert seen == [(4 * i, 76) for i in range(20)]
    assert (report.shards_done, report.tables, report.rows, report.statuses) == (19, 76, 228, {"OK": 228})
    assert report.complete
    assert report.closed
    assert max(in_flight) == 4  # twice the cores


@pytest.fixture
def in_flight(monkeypatch):
    """Numbers of tasks that were waited for."""
    ray = pytest.importorskip("ray")
    counts, wait = [], ray.wait

    def counting(references, **options):
        counts.append(len(references))
        return wait(references, **options)

    monkeypatch.setattr(ray, "wait", counting)
    return counts


def test_a_cluster_continues_what_a_process_began_and_the_other_way_round(nodes, reference, tmp_path, in_flight):
    turns = iter([False] * 3 + [True] * 99)
    run_sweep(SMALL, tmp_path, should_stop=lambda: next(turns))
    turns = iter([False] * 2 + [True] * 99)
    report = run_sweep_on_ray(SMALL, tmp_path, shards_per_task=3, tasks_in_flight=1, should_stop=lambda: next(turns))
    assert max(in_flight) == 1
    assert (report.shards_before, report.shards_done, report.complete, report.closed) == (3, 6, False, False)
    assert run_sweep(SMALL, tmp_path).shards_before == 9
    assert digests(tmp_path) == reference
    assert run_sweep_on_ray(SMALL, tmp_path).shards_done == 0


def workers(marks: Path) -> list[int]:
    return [int(path.name) for path in marks.iterdir()]


@pytest.fixture
def marked(monkeypatch, tmp_path):
    """Workers leave their process number in a folder and then take their time, so that they can be killed in a task."""
    marks = tmp_path / "marks"
    marks.mkdir()
    whole = cluster._do

    def slow(*given):
        Path(marks, str(os.getpid())).touch()
        time.sleep(0.2)
        return whole(*given)

    monkeypatch.setattr(cluster, "_do", slow)
    return marks


def test_a_worker_is_killed(nodes, reference, marked, tmp_path):
    killed = []

    def kill(done, total):
        if done and len(killed) < 2:
            killed.append(next(process for process in workers(marked) if process not in killed))
            os.kill(killed[-1], signal.SIGKILL)

    report = run_sweep_on_ray(SMALL, tmp_path / "out", progress=kill)
    assert len(killed) == 2
    assert len(workers(marked)) > 2
    assert report.closed
    assert digests(tmp_path / "out") == reference  # and nothing besides


def test_a_task_that_always_dies_ends_the_call(nodes, reference, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "_do", lambda *given: os.kill(os.getpid(), signal.SIGKILL))
        with pytest.raises(OSError, match=r"^ray: a task died too often, of shards \d+ to \d+: .*same command again"):
            run_sweep_on_ray(SMALL, tmp_path, max_retries=0)
    run_sweep_on_ray(SMALL, tmp_path)
    assert digests(tmp_path) == reference


def test_errors_of_workers_are_those_of_one_process(nodes, reference, tmp_path):
    obstacle = tmp_path / "committees/train-00000005.parquet"
    obstacle.mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"every shard that was done is whole; .*train-00000005\.parquet"):
        run_sweep_on_ray(SMALL, tmp_path)
    obstacle.rmdir()
    done = digests(tmp_path)
    assert 0 < sum(name.startswith("shards/") for name in done) < 19
    assert "shards/00000005.json" not in done
    assert run_sweep_on_ray(SMALL, tmp_path, tasks_in_flight=99, max_retries=-1).closed
    assert digests(tmp_path) == reference


def test_workers_check_what_they_work_on(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"^directory: expected a folder that all machines share"):
        cluster._do(SMALL, str(tmp_path), 1, False, [0])
    run_sweep(SMALL, tmp_path, should_stop=lambda: True)
    with pytest.raises(ValueError, match=r"seed is 5 there, 6 here"):
        cluster._do(replace(SMALL, seed=6), str(tmp_path), 1, False, [0])
    here = {**_pipeline.made_with(), "jax": "0.1"}
    monkeypatch.setattr(_pipeline, "made_with", lambda: here)
    with pytest.raises(ValueError, match=r"^ray: expected the same packages .* jax is '.*' there, '0\.1' here"):
        cluster._do(SMALL, str(tmp_path), 1, False, [0])
    [record] = cluster._do(SMALL, str(tmp_path), 1, True, [0])
    assert record["made_with"]["jax"] == "0.1"


def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    out = str(tmp_path / "out")
    mute = socket.create_server(("127.0.0.1", 0))
    port = mute.getsockname()[1]
    with pytest.raises(ConnectionError, match=rf"^ray: no cluster answers at '127\.0\.0\.1:{port}' within 0\.5 s"):
        run_sweep_on_ray(SMALL, out, address=f"127.0.0.1:{port}", patience=0.5)
    mute.close()
    sweep = ["sweep", "--out", out, "--tables", "8", "--states", "2", "--actions", "2", "--providers", "2"]
    for options, message in (
        (["--ray", f"127.0.0.1:{port}"], f"ray: no cluster answers at '127.0.0.1:{port}' within 30 s: "),
        (["--ray", "ray://head:10001"], "address: expected local, auto or HOST:PORT"),
        (["--ray", "local", "--worker", "1/2"], "--worker: expected nothing beside --ray"),
        (["--ray", "local", "--cpus-per-task", "0"], "cpus_per_task: expected a whole number of at least 1, got 0"),
        (["--ray", "local", "--gpus-per-task", "-1"], "gpus_per_task: expected a number of at least 0, got -1.0"),
    ):
        assert main([*sweep, *options]) == 2
        said = capsys.readouterr().err
        assert f"equilibrax: error: {message}" in said
        assert said.strip().count("\n") == 0
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*sweep, "--ray", "local"]) == 2
    assert 'ray: expected the package Ray, got none; in a clone: pip install ".[ray]"' in capsys.readouterr().err
    assert not Path(out).exists()


@pytest.mark.parametrize("version", ["2.51.9", "1.99.0", "0.8"])
def test_versions_without_tokens_are_refused(monkeypatch, tmp_path, version):
    """The extra says so, but a Ray that is there already is used whatever its version."""
    for name in ("ray", "ray.exceptions"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__version__=version))
    with pytest.raises(ValueError, match=f"^ray: expected Ray 2.52 or later, .*, got {version}"):
        run_sweep_on_ray(SMALL, tmp_path / "out")
    assert f"ray>={'.'.join(map(str, cluster.OLDEST))}" in (Path(__file__).parents[2] / "pyproject.toml").read_text()


@pytest.mark.parametrize("addresses", [["192.168.0.7"], ["127.0.0.1", "10.0.0.1"], []])
def test_a_cluster_that_listens_elsewhere_is_ended(monkeypatch, addresses):
    """Whatever the switch for it is called in some version of Ray: what counts is where the cluster is."""
    ended = []
    constants = SimpleNamespace()  # of a version that has no such switch
    monkeypatch.setattr(cluster, "import_module", lambda name: constants)
    ray = SimpleNamespace(
        __version__="9.9",
        is_initialized=lambda: False,
        init=lambda **options: None,
        nodes=lambda: [{"NodeManagerAddress": address} for address in addresses],
        shutdown=lambda: ended.append(True),
    )
    handed = []
    with (
        pytest.raises(ConnectionError, match=r"^ray: expected a cluster that listens on 127\.0\.0\.1 alone, got"),
        cluster._connected(ray, "local", 1),
    ):
        handed.append(True)
    assert not handed
    assert ended
    addresses[:] = ["127.0.0.1"]
    with cluster._connected(ray, "local", 1):
        pass


def test_a_task_that_fits_nowhere_is_refused(nodes, tmp_path):
    with pytest.raises(ValueError, match=r"^cpus_per_task, gpus_per_task: .*2 CPUs, 0 GPUs.*got 1 and 1$"):
        run_sweep_on_ray(SMALL, tmp_path, gpus_per_task=1)


@pytest.mark.slow
def test_a_machine_is_lost(nodes, reference, marked, tmp_path):
    """All workers of a node and its daemon vanish while it has tasks."""
    lost = [nodes.add_node(num_cpus=2, resources={"doomed": 1})]
    nodes.wait_for_nodes()
    there = []

    def remove(done, total):
        there[:] = workers(marked)
        if lost and len(there) > 2 and done:
            nodes.remove_node(lost.pop(), allow_graceful=False)

    report = run_sweep_on_ray(SMALL, tmp_path / "out", progress=remove)
    assert not lost
    assert report.closed
    made = digests(tmp_path / "out")  # workers of the lost node may be alive for a moment and write, under other names
    assert {name: digest for name, digest in made.items() if not name.endswith(".tmp")} == reference


@pytest.mark.slow
def test_a_cluster_of_this_machine_cannot_be_reached_from_others():
    ray = pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    if ray.is_initialized():
        pytest.skip("a cluster of other tests runs here")
    with cluster._connected(ray, "local", 30):
        names = {process.pid for process in psutil.process_iter() if "ray" in " ".join(process.cmdline()).lower()}
        open_ports = [c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.pid in names]
        assert open_ports
        assert all(c.laddr.ip.removeprefix("::ffff:").startswith("127.") for c in open_ports), open_ports
