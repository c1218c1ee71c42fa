"""Splits: which frames may stand in which part, by every rule; and the file that keeps a split."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.recording import Recording, record
from support.scene import Scripted, standing, steady
from train.data.recorded import RecordedWindows
from train.data.rendered import RenderedWindows
from train.data.splits import RULES, Split, digest, split, video_of
from train.noise.library import NOISES
from train.synthesis.motion import clip_set, generated_clips

LENGTHS = (57, 90, 4, 33, 72, 8, 41, 60, 25, 64, 38, 3, 49, 9)  # some are shorter than a window
NAMES = (
    *("walk_0.avi", "walk_1.avi", "walk_2.avi", "run.avi", "jump_0.mp4", "jump_1.mp4", "sit.avi"),
    *(
        "mocap/climb/0/003/0",
        "mocap/climb/0/003/1",
        "mocap/climb/0/004/0",
        "stand_11",
        "stand_12",
        "lie",
        "crawl",
    ),
)


def rendered(lengths=LENGTHS, noise="1.1", names=None) -> RenderedWindows:
    """Windows over clips of these lengths; '1.3' takes every second frame."""
    whole = generated_clips(len(lengths), 5, frames=max(lengths))
    pixels = [whole.keypoints[whole.rows(i)][:n] for i, n in enumerate(lengths)]
    names = names or [f"clip {i}" for i in range(len(lengths))]
    takes = [(name, "climb", part) for name, part in zip(names, pixels, strict=True)]
    return RenderedWindows(clip_set(takes, 30.0, "generated: for a test"), NOISES[noise])


def frames(source, indices) -> list[tuple[int, int]]:
    """(clip, frame) of everything that the windows `indices` see, as often as it is seen."""
    skip = (source.span - 1) // 4
    return [
        (int(source.clip[i]), int(source.position[i]) + skip * t) for i in indices for t in range(5)
    ]


def shared(source, some, others) -> set[tuple[int, int]]:
    return set(frames(source, some)) & set(frames(source, others))


def assert_no_frame_twice(source, indices) -> None:
    assert [f for f, times in Counter(frames(source, indices)).items() if times > 1] == []


def assert_apart(source, *parts) -> None:
    """No two parts share a frame, and none is empty."""
    for i, part in enumerate(parts):
        assert len(part)
        for other in parts[:i]:
            assert shared(source, part, other) == set()


every_frame_rate = pytest.mark.parametrize("noise", ["1.1", "1.3"])


@every_frame_rate
@pytest.mark.parametrize("seed", [0, 1])
def test_by_video_keeps_what_was_cut_from_one_video_together(noise, seed):
    source = rendered(noise=noise, names=NAMES)
    parts = split(source, "by-video", seed)
    assert_apart(source, parts.train, parts.val, parts.test)
    for part in (parts.val, parts.test):
        assert_no_frame_twice(source, part)
    videos = [
        {video_of(NAMES[c]) for c in source.clip[p]} for p in (parts.train, parts.val, parts.test)
    ]
    assert sum(map(len, videos)) == len(set().union(*videos)), "a video stands in two parts"
    assert [len(v) for v in videos] == [5, 2, 2]  # of nine that hold windows
    np.testing.assert_array_equal(
        parts.train, np.flatnonzero(np.isin(source.clip, source.clip[parts.train]))
    )


def test_by_video_follows_the_seed():
    source = rendered(names=NAMES)
    chosen = {
        tuple(np.unique(source.clip[split(source, "by-video", seed).train])) for seed in range(6)
    }
    assert len(chosen) > 1


@pytest.mark.parametrize(
    ("clips", "video"),
    [
        (("name_0.avi", "name_1.avi", "name_12.avi"), "name"),
        (("mocap/cmu/0/007/0", "mocap/cmu/0/007/5"), "mocap/cmu/0/007"),
        # as joined sets are named
        (("0/mocap/cmu/0/007/0", "0/mocap/cmu/0/007/5"), "0/mocap/cmu/0/007"),
        (("generated/0/00001",), "generated/0/00001"),
        (("a/b.mp4",), "a/b"),
    ],
)
def test_the_video_of_a_clip_is_its_name_without_the_number_of_the_cut(clips, video):
    assert {video_of(c) for c in clips} == {video}


def test_takes_and_videos_of_other_numbers_are_others():
    names = (
        "mocap/cmu/0/007/0",
        "mocap/cmu/0/008/0",
        "generated/0/00001",
        "generated/0/00002",
        "a1.avi",
        "a2.avi",
    )
    assert len({video_of(n) for n in names}) == len(names)


@every_frame_rate
def test_by_time_shares_no_frame_and_tests_on_the_end_of_every_clip(noise):
    source = rendered(noise=noise)
    parts = split(source, "by-time")
    assert_apart(source, parts.train, parts.val, parts.test)
    for part in (parts.val, parts.test):
        assert_no_frame_twice(source, part)
    length = np.diff(source.clips.offsets)
    for clip, t in frames(source, parts.train):
        assert t < round(0.6 * length[clip])
    for clip, t in frames(source, parts.val):
        assert round(0.6 * length[clip]) <= t < round(0.8 * length[clip])
    for clip, t in frames(source, parts.test):
        assert t >= round(0.8 * length[clip])


@pytest.mark.parametrize(("names", "rule"), [(NAMES, "by-time"), (None, "by-video")])
def test_auto_is_by_video_from_ten_videos_on(names, rule):
    assert len({video_of(n) for n in NAMES}) == 9
    assert split(rendered(names=names)).rule == rule


@every_frame_rate
def test_mission_has_three_phases_of_five_to_train_and_no_frame_twice_in_validation_or_test(noise):
    source = rendered(noise=noise)
    parts = split(source, "mission")
    assert_no_frame_twice(source, parts.val)
    assert_no_frame_twice(source, parts.test)
    together = np.concatenate([parts.train, parts.val, parts.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(len(source)))
    shares = np.array([len(parts.train), len(parts.val), len(parts.test)]) / len(source)
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.03)
    skip = (source.span - 1) // 4
    phases = [set(source.position[p] // skip % 5) for p in (parts.train, parts.val, parts.test)]
    assert phases == [{0, 1, 2}, {3}, {4}]


@every_frame_rate
@pytest.mark.parametrize("lengths", [LENGTHS, (90, 61, 33), (40, 40, 40, 40), (9, 100, 31, 31, 31)])
def test_final_holds_the_longest_clip_out_and_trains_on_the_first_windows_of_the_rest(
    noise, lengths
):
    source = rendered(lengths, noise)
    parts = split(source, "final")
    longest = int(np.argmax(lengths))
    np.testing.assert_array_equal(parts.held_out, np.flatnonzero(source.clip == longest))
    assert_apart(source, parts.train, parts.val, parts.test, parts.held_out)
    for part in (parts.val, parts.test):
        assert_no_frame_twice(source, part)
    rest = np.flatnonzero(source.clip != longest)
    first, later = np.split(rest, [round(0.6 * len(rest))])
    np.testing.assert_array_equal(parts.train[: len(first)], first)
    known = set(frames(source, first))
    joined = [i for i in later if any(f in known for f in frames(source, [i]))]
    assert set(joined) <= set(parts.train[len(first) :]), (
        "a window shares a frame with training and does not train"
    )
    dealt = np.sort(np.concatenate([parts.val, parts.test]))
    np.testing.assert_array_equal(parts.val, dealt[::2])
    np.testing.assert_array_equal(parts.test, dealt[1::2])


def test_final_holds_out_every_cut_of_the_longest_video():
    source = rendered(
        (30, 40, 25, 28), names=["wall/a_0.avi", "wall/b.avi", "wall/a_1.avi", "wall/c.avi"]
    )
    parts = split(source, "final")
    np.testing.assert_array_equal(parts.held_out, np.flatnonzero(np.isin(source.clip, [0, 2])))
    assert not shared(source, np.concatenate([parts.train, parts.val, parts.test]), parts.held_out)


@every_frame_rate
def test_by_window_is_a_shuffled_partition_of_60_20_20(noise):
    source = rendered(noise=noise)
    parts = split(source, "by-window", seed=3)
    together = np.concatenate([parts.train, parts.val, parts.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(len(source)))
    shares = np.array([len(parts.train), len(parts.val), len(parts.test)]) / len(source)
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.005)
    assert shared(source, parts.train, parts.test), "neighbours in time stand in different parts"
    assert (
        split(source, "by-window", 3).sha256 == parts.sha256 != split(source, "by-window", 4).sha256
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> RecordedWindows:
    """Four videos; in one the person is lost for a while, in another there are two, one after the
    other.
    """
    folder, lengths, recordings = tmp_path_factory.mktemp("recordings"), (70, 50, 60, 30), []

    def seen(clip: int, t: int) -> dict:
        points = standing(x=200 + t)
        if clip == 1:
            return {} if 20 <= t < 27 else {0: points}
        return {int(clip == 2 and t >= 31): points}

    for clip, length in enumerate(lengths):
        script = {t: seen(clip, t) for t in range(length)}
        record(steady(length), Scripted(script), folder / f"{clip}.zip")
        recordings.append(Recording(folder / f"{clip}.zip"))
    takes = [
        (
            f"video {c}",
            "stand",
            np.stack([standing(x=200 + t) for t in range(n)]).astype(np.float32),
        )
        for c, n in enumerate(lengths)
    ]
    return RecordedWindows(clip_set(takes, 30.0, "human: for a test"), recordings)


@pytest.mark.parametrize("rule", ["by-video", "by-time", "mission", "final"])
def test_recorded_windows_with_gaps_and_another_person_share_no_frame_either(recorded, rule):
    assert len(recorded) == (70 - 4) + (20 - 4) + (23 - 4) + (31 - 4) + (29 - 4) + (30 - 4)
    parts = split(recorded, rule)
    for part in (parts.val, parts.test):
        assert len(part)
        assert_no_frame_twice(recorded, part)
    if rule != "mission":
        assert_apart(recorded, parts.train, parts.val, parts.test)


# The file
# ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source() -> RenderedWindows:
    return rendered((60, 50, 40, 30))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_split_is_read_back_from_its_file(tmp_path, source, rule):
    parts = split(source, rule)
    parts.save(tmp_path / "split.json", source)
    again = Split.load(tmp_path / "split.json", source)
    for name in ("train", "val", "test", "held_out"):
        np.testing.assert_array_equal(getattr(again, name), getattr(parts, name))
        assert getattr(again, name).dtype == np.int64
    assert (again.rule, again.sha256) == (rule, parts.sha256)
    assert (len(again.held_out) > 0) == (rule == "final")


def test_the_hash_tells_splits_apart(source):
    parts = split(source, "final")
    hashes = {parts.sha256, *(split(source, rule).sha256 for rule in RULES)}
    assert len(hashes) == len(RULES)
    assert replace(parts, held_out=parts.held_out[:-1]).sha256 != parts.sha256
    assert replace(parts, val=parts.test, test=parts.val).sha256 != parts.sha256


def test_a_split_that_was_edited_by_hand_is_refused(tmp_path, source):
    path = tmp_path / "split.json"
    split(source, "final").save(path, source)
    whole = json.loads(path.read_text())
    for taken, given in (("test", "train"), ("held_out", "train"), ("train", "val")):
        edited = json.loads(json.dumps(whole))
        edited[given].append(edited[taken].pop())
        path.write_text(json.dumps(edited))
        with pytest.raises(ClimbEdgeError, match=r"split\.json: its windows were changed by hand"):
            Split.load(path, source)


def test_a_split_of_other_data_is_refused(tmp_path, source):
    path = tmp_path / "split.json"
    split(source).save(path, source)
    moved = replace(source.clips, keypoints=source.clips.keypoints + 1)
    renamed = replace(source.clips, clip=np.array(["a", "b", "c", "d"]))
    others = [RenderedWindows(clips, source.noise) for clips in (moved, renamed)]
    others += [rendered((60, 50, 40, 30), "1.3"), rendered((60, 50, 40, 31)), rendered((60, 50))]
    # half the frame rate is of the same keypoints
    assert len({digest(o) for o in (source, *others)}) == 5
    for other in others:
        with pytest.raises(
            ClimbEdgeError, match=r"split\.json: made for 164 windows of 4 clips.*the data has"
        ):
            Split.load(path, other)


@pytest.mark.parametrize(
    "change",
    [
        {"train": None},
        {"train": "abc"},
        {"train": [[1, 2], [3]]},
        {"val": [10**30]},
        {"test": [float("inf")]},
        {"data_sha256": 5},
        {"windows": None},
        {"sha256": None},
        {"held_out": [-1]},
    ],
)
def test_a_split_with_wrong_values_is_refused(tmp_path, source, change):
    path = tmp_path / "split.json"
    split(source).save(path, source)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ClimbEdgeError, match=r"split\.json: ") as caught:
        Split.load(path, source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage", ["half", "empty", "bytes", "a list", "deep", "a folder", "no file", "no test"]
)
def test_a_damaged_split_is_refused(tmp_path, source, damage):
    path = tmp_path / "split.json"
    split(source).save(path, source)
    whole = path.read_text()
    fewer = {k: v for k, v in json.loads(whole).items() if k != "test"}
    if damage in ("a folder", "no file"):
        path.unlink()
    if damage == "a folder":
        path.mkdir()
    texts = {
        "half": whole[: len(whole) // 2],
        "empty": "",
        "a list": "[1, 2]",
        "deep": "[" * 100_000,
    }
    texts |= {"no test": json.dumps(fewer), "bytes": None}
    if damage in texts:
        path.write_bytes(b"\xff\xfe\x00" if texts[damage] is None else texts[damage].encode())
    with pytest.raises(ClimbEdgeError, match=r"split\.json: expected a split") as caught:
        Split.load(path, source)
    assert "\n" not in str(caught.value)


def test_an_unknown_rule_names_the_rules(source):
    with pytest.raises(ClimbEdgeError, match="by-magic") as caught:
        split(source, "by-magic")
    assert all(rule in str(caught.value) for rule in ("auto", *RULES))


@pytest.mark.parametrize(
    ("rule", "lengths"),
    [
        ("by-video", (60, 60)),
        ("by-time", (12,)),
        ("by-window", (6,)),
        ("mission", (7,)),
        ("final", (60, 7)),
    ],
)
def test_data_that_is_too_little_for_a_rule_is_refused(rule, lengths):
    source = rendered(lengths)
    with pytest.raises(
        ClimbEdgeError, match=f"split {rule} leaves .* training, .* validation and .* test windows"
    ):
        split(source, rule)


def test_final_needs_a_second_video():
    with pytest.raises(ClimbEdgeError, match="at least two videos"):
        split(rendered((60, 4)), "final")
