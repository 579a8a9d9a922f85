"""A study on a Ray cluster of two nodes, both on this machine; one of them goes in mid-run."""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_study import (
    PROMPTS,
    Lengths,
    NoModel,
    assert_rows,
    run,
    sample_prompts,
    shards_in,
)

from visit.errors import RequestError
from visit.studies import cluster
from visit.studies.cluster import Resources, run_on_cluster
from visit.studies.worker import Failed, Written

# Ray warns of its own accord, of files that it leaves open and of what its next version does.
pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parent.parent
STORE = 80 * 2**20


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A cluster whose second node may be taken away."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT.parent, ROOT / "samples"))))
    import ray
    from ray.cluster_utils import Cluster

    quiet = {"include_dashboard": False, "object_store_memory": STORE, "num_cpus": 1}
    nodes = Cluster(initialize_head=True, head_node_args=quiet)
    try:
        nodes.second = nodes.add_node(num_cpus=1, object_store_memory=STORE)
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()
        gc.collect()  # what Ray leaves open is warned of here


def test_rows_are_complete_and_none_is_twice_when_a_node_goes_in_mid_run(two_nodes, tmp_path: Path):
    run(tmp_path / "whole", prompts=sample_prompts(30, p3="bad"), chunk=2)
    (log := tmp_path / "log").mkdir()
    gone = []

    def progress(stage: str, part: float) -> None:
        if part > 0.2 and len(list(log.iterdir())) >= 2 and not gone:
            gone.append(part)
            two_nodes.remove_node(two_nodes.second, allow_graceful=False)

    ran = run_on_cluster(
        Lengths(seconds=0.1), sample_prompts(30, p3="bad"), NoModel(log=str(log)),
        tmp_path / "rows", address=two_nodes.address, chunk=2, progress=progress,
    )  # fmt: skip
    assert gone
    assert (ran.n, ran.n_failed, ran.n_left) == (29, 1, 0)
    assert_rows(tmp_path / "rows", sample_prompts(30, p3="bad"), left_out=(3,))
    assert shards_in(tmp_path / "rows") == shards_in(tmp_path / "whole")
    # Nothing is left to measure, so that no actor looks at the model.
    with pytest.raises(RequestError, match="holds rows of the model"):
        run_on_cluster(
            Lengths(seconds=0.1), sample_prompts(30, p3="bad"),
            NoModel(name="other", weights="cd" * 32), tmp_path / "rows",
            address=two_nodes.address, chunk=2,
        )  # fmt: skip


def batch_of(number: int, prompts) -> dict:
    return {"task": [pickle.dumps((number, prompts))]}


def said_by(actor: cluster._Actor, number: int, prompts) -> object:
    """What an actor says of a chunk."""
    (said,) = actor(batch_of(number, prompts))["said"]
    return pickle.loads(said)


def test_an_actor_says_what_went_wrong_and_never_dies_of_it(tmp_path: Path):
    """Ray would start another in its place, again and again."""
    run(tmp_path, limit=5)
    packed = pickle.dumps((Lengths(), NoModel()))
    actor = cluster._Actor(packed, str(tmp_path), 1)
    said = said_by(actor, 1, sample_prompts(2, p1="broken"))
    assert isinstance(said, Failed)
    with pytest.raises(RequestError, match=r"broke at prompt 1 \(line 3\)") as raised:
        cluster._told(said)
    assert "ZeroDivisionError" in str(raised.value.__cause__)
    other = cluster._Actor(pickle.dumps((Lengths(), NoModel(weights="cd" * 32))), str(tmp_path), 1)
    with pytest.raises(RequestError, match="holds rows of the model none"):
        cluster._told(said_by(other, 1, PROMPTS[5:10]))
    blind = cluster._Actor(packed, str(tmp_path / "elsewhere"), 1)
    with pytest.raises(RequestError, match="is not seen by every machine"):
        cluster._told(said_by(blind, 1, PROMPTS[5:10]))


def test_an_actor_measures_no_chunk_that_is_there(tmp_path: Path):
    run(tmp_path, limit=5)
    before = shards_in(tmp_path)
    actor = cluster._Actor(pickle.dumps((Lengths(), NoModel())), str(tmp_path), 1)
    assert said_by(actor, 0, sample_prompts(2, p1="broken")) == Written(0, ())
    assert shards_in(tmp_path) == before


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match=r"needs Ray: pip install 'visit-flow\[cluster\]'"):
        run_on_cluster(Lengths(), PROMPTS, NoModel(), tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_actors_that_no_machine_has_room_for_are_refused():
    class Ray:
        def cluster_resources(self):
            return {"CPU": 8.0, "GPU": 2.0}

    assert cluster._room(Ray(), Resources(gpus=1)) == 2
    assert cluster._room(Ray(), Resources(cpus=3)) == 2
    with pytest.raises(RequestError, match="has 8 cores and 2 GPUs, and each actor is to have 1 a"):
        cluster._room(Ray(), Resources(gpus=4))
