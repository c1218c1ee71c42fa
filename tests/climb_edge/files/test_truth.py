"""What keypoints are worth: stated by who writes them, kept by who handles them, weakest of a mix."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.evaluate import table
from climb_edge.files.clips import join_clips, load_clips, save_clips, select_clips
from climb_edge.files.truth import WORDS, Truth, as_truth, weakest
from climb_edge.streaming.result import Result
from climb_edge.tracking.exports import write_coco
from support.scene import clip_set, standing


@pytest.fixture
def release_before(pytestconfig) -> Path:
    """Clip sets as version 0.1 wrote them: two clips each, no field that says their truth."""
    return pytestconfig.rootpath / "tests" / "fixtures" / "v0.1"


def test_the_four_in_order_each_with_its_words():
    assert list(Truth) == list(WORDS) == ["generated", "rendered", "pseudo", "human"]
    assert weakest([Truth.HUMAN, Truth.PSEUDO]) is Truth.PSEUDO
    assert weakest([Truth.PSEUDO, Truth.GENERATED, Truth.RENDERED]) is Truth.GENERATED
    assert WORDS["pseudo"] == "pseudo ground truth" and WORDS["human"] == "human truth"


@pytest.mark.parametrize("value", ["Human", "", None, ["human"], {"a": 1}, 3])
def test_another_value_is_refused_with_the_four(value):
    with pytest.raises(ClimbEdgeError, match="here: truth expected one of generated, rendered, p"):
        as_truth(value, "here")


@pytest.mark.parametrize("truth", Truth)
def test_a_clip_set_keeps_its_truth_whatever_its_source_says(tmp_path, truth):
    clips = clip_set(source="pseudo ground truth: generated: human", truth=truth)
    save_clips(tmp_path / "c.npz", clips)
    assert np.load(tmp_path / "c.npz")["truth"] == truth.value
    read = load_clips(tmp_path / "c.npz")
    assert read.truth is truth
    assert read.first(1).truth is truth
    assert select_clips(read, [False, True]).truth is truth
    assert replace(read, source="other").truth is truth


def test_an_unknown_truth_is_refused_by_name_when_written_and_when_read(tmp_path):
    path = tmp_path / "c.npz"
    with pytest.raises(ClimbEdgeError, match=r"c\.npz: truth expected one of .*'measured'"):
        save_clips(path, clip_set(truth="measured"))
    assert not path.exists()
    save_clips(path, clip_set())
    with np.load(path) as found:
        arrays = dict(found)
    for wrong, said in (
        (np.array("measured"), "truth expected one of generated, .*'measured'"),
        (np.array(["human", "human"]), "truth expected shape"),
        (np.array(3), "truth expected of kind"),
    ):
        np.savez(path, **arrays | {"truth": wrong})
        with pytest.raises(ClimbEdgeError, match=rf"c\.npz: .*{said}"):
            load_clips(path)


@pytest.mark.parametrize("truth", [Truth.GENERATED, Truth.PSEUDO, Truth.HUMAN])
def test_clip_sets_of_the_release_before_are_read_with_the_truth_they_had(release_before, truth):
    path = release_before / f"{truth}.npz"
    with np.load(path) as found:
        assert "truth" not in found
    clips = load_clips(path)
    assert clips.truth is truth and len(clips) == 2


def test_a_joined_set_without_the_field_is_worth_its_weakest_source(tmp_path, release_before):
    with np.load(release_before / "human.npz") as found:
        arrays = dict(found)
    source = "Penn Action labels; fps unknown; pseudo ground truth: blazepose-heavy"
    np.savez(tmp_path / "c.npz", **arrays | {"source": np.array(source)})
    assert load_clips(tmp_path / "c.npz").truth is Truth.PSEUDO


@pytest.mark.parametrize("turned", [False, True])
def test_a_joined_set_is_worth_its_weakest_part(turned):
    pseudo = clip_set((300, 300), "a teacher", truth=Truth.PSEUDO)
    human = clip_set((80,), "labels", truth=Truth.HUMAN)
    both = join_clips([pseudo, human][:: -1 if turned else 1])
    assert both.truth is Truth.PSEUDO and len(both.keypoints) == 680
    assert join_clips([human, human]).truth is Truth.HUMAN


def test_evaluate_names_the_truth_in_its_heading():
    pck = {"pooled": {0.05: (0.5, 0.4, 0.6)}}
    told = {
        "refiner": "identity",
        "clips": 1,
        "frames": 2,
        "missing": 0,
        "pck": pck,
        "raw": pck,
        **dict.fromkeys(("jitter", "raw_jitter"), 1.0),
        **dict.fromkeys(("lag_ms", "raw_lag_ms"), None),
    }
    for truth, words in WORDS.items():
        assert table([told | {"truth": truth.value}]).startswith(f"PCK in %, pooled, {words}: 1 c")


def test_an_exported_track_says_that_nobody_labelled_it(tmp_path):
    points = np.column_stack([standing(200), np.ones(25)]).astype(np.float32)
    seen = Result(0, 0.0, 1, "tracking", raw=points, refined=points)
    write_coco(tmp_path / "c.json", [seen], (400, 400), "v.mp4")
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["info"]["truth"] == "pseudo" and len(written["annotations"]) == 1
