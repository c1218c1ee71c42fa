"""The plot of tracks whose joints, gaps and states are known: what is drawn where, and the figures
beside it.
"""

import json

import cv2
import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.errors import ClimbEdgeError
from climb_edge.refiners.filters import get
from climb_edge.streaming.result import Result
from climb_edge.tracking.curves import lag_behind
from climb_edge.tracking.plot import COLOURS, RAW, STATES, _ticks, plot
from climb_edge.tracking.track_file import SCHEMA, line

FPS = 30


def write(path, results):
    path.parent.mkdir(exist_ok=True)
    rows = [{"schema": SCHEMA}, *map(line, results)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def a_track(path, late=2, gap=(), person=1, count=120, shift=0.0):
    """Every keypoint on a swing; raw trembles, refined is `late` frames late; nobody in the frames
    of `gap`.
    """
    rng = np.random.default_rng(0)

    def swing(frame):
        t = frame / FPS
        x, y = (
            300 + 80 * np.sin(2 * t) + 30 * np.sin(7 * t),
            500 + 60 * np.cos(3 * t) + 20 * np.sin(8 * t),
        )
        return np.tile([x + shift, y, 0.9], (25, 1))

    results = []
    for i in range(count):
        if i in gap:
            results.append(Result(i, i / FPS))
            continue
        raw = swing(i) + np.r_[1, 1, 0] * rng.normal(0, 1, (25, 1))
        state = "warming up" if i < 4 else "re-anchored" if i == 35 else "tracking"
        results.append(Result(i, i / FPS, person, state, 0, np.zeros(4), raw, swing(i - late)))
    return write(path, results)


def pixels(path):
    return cv2.imread(str(path))[..., ::-1].astype(int)


def columns(image, colour, near=40):
    """Columns in the panels (below the legend) with a pixel of about this colour."""
    return np.flatnonzero((np.abs(image[160:] - colour).sum(-1) < near).any(0))


def test_the_figures_are_those_of_the_joints(tmp_path):
    raw, refined = plot(
        [a_track(tmp_path / "a" / "track.jsonl")], ["left_wrist", "nose"], tmp_path / "p.png"
    )
    assert (raw.kind, refined.kind, raw.track) == ("raw", "refined", "a")
    assert refined.lag == pytest.approx(2000 / FPS, rel=0.15) and raw.lag == 0
    assert raw.jitter > 2 * refined.jitter > 0
    assert raw.points.shape == (120, 2, 2) and refined.times[-1] == pytest.approx(119 / FPS)
    assert refined.states[:5] == ("warming up",) * 4 + ("tracking",)


def test_lines_are_drawn_and_break_where_nobody_was_seen(tmp_path):
    gap = range(60, 90)
    raw, refined = plot(
        [a_track(tmp_path / "t.jsonl", gap=gap)], ["left_wrist"], tmp_path / "p.png"
    )
    assert np.isnan(refined.points[60:90]).all() and np.isfinite(refined.points[[59, 90]]).all()
    assert refined.states[60] == refined.states[89] == "lost" and raw.track == "t"
    image = pixels(tmp_path / "p.png")
    assert image.shape[1] == 1400
    found = columns(image, COLOURS[0])
    left, right = 72, 1400 - 24
    at = left + (right - left) * np.array([59, 90]) / 119
    assert not ((found > at[0] + 4) & (found < at[1] - 4)).any()  # the gap
    for start, end in ((left, at[0]), (at[1], right)):
        assert np.mean(np.isin(np.arange(round(start) + 3, round(end) - 3), found)) > 0.95
    assert len(columns(image, RAW)) > 300
    # shaded in both panels
    assert (np.abs(image[160:, round(at.mean())] - STATES["lost"]).sum(-1) == 0).sum() > 250
    for state, place in (
        ("warming up", left + 5),
        ("re-anchored", left + (right - left) * 35 / 119),
    ):
        assert (np.abs(image[160:, round(place)] - STATES[state]).sum(-1) < 4).sum() > 150


def test_x_and_y_lie_where_their_axes_say(tmp_path):
    """A wrist that goes right and up: the line of x rises, and so does that of y, whose axis points
    down.
    """
    rows = []
    for i in range(60):
        points = np.tile([100.0 + 5 * i, 400.0 - 5 * i, 1], (25, 1))
        rows.append(Result(i, i / FPS, 0, "tracking", 0, np.zeros(4), points, points))
    plot([write(tmp_path / "t.jsonl", rows)], ["left_wrist"], tmp_path / "p.png")
    image = pixels(tmp_path / "p.png")
    top = 16 + 24 * 3 + 30
    for y0 in (top, top + 200):
        panel = np.abs(image[y0 : y0 + 170] - COLOURS[0]).sum(-1) < 60
        heights = [np.flatnonzero(panel[:, x]).mean() for x in (100, 700, 1300)]
        assert heights[0] > 130 > heights[1] > 40 > heights[2]
        assert heights[1] == pytest.approx(np.mean([heights[0], heights[2]]), abs=5)


def test_several_tracks_have_a_colour_and_a_lane_each(tmp_path):
    one = a_track(tmp_path / "one" / "track.jsonl", gap=range(0, 60))
    two = a_track(tmp_path / "two" / "track.jsonl", late=0, shift=40)
    curves = plot([one, two], ["left_wrist"], tmp_path / "p.png")
    assert [c.track for c in curves] == ["one", "one", "two", "two"]
    assert curves[3].lag == pytest.approx(0, abs=3) and curves[1].lag > 40
    image = pixels(tmp_path / "p.png")
    assert len(columns(image, COLOURS[0])) > 500 and len(columns(image, COLOURS[1])) > 1000
    lost = (np.abs(image[160:] - STATES["lost"]).sum(-1) == 0).sum(0)
    assert 15 <= lost[200] <= 20 and lost[1000] == 0  # a lane, no shaded panels
    names = plot([one, two], ["nose"], tmp_path / "p.png", names=["é", "b" * 300])
    assert names[0].track == "é"


def test_of_several_people_the_one_seen_most_or_the_one_named(tmp_path):
    rows = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    a_track(rows[0], person=1, gap=range(100))
    a_track(rows[1], person=5, shift=70)
    both = tmp_path / "both.jsonl"
    both.write_text(rows[0].read_text() + "".join(rows[1].read_text().splitlines(True)[1:]))
    assert plot([both], ["nose"], tmp_path / "p.png")[0].track == "both, person 5"
    assert (
        np.isfinite(plot([both], ["nose"], tmp_path / "p.png", person=1)[0].points[:, 0, 0]).sum()
        == 20
    )
    with pytest.raises(ClimbEdgeError, match=r"person 3, found 1, 5"):
        plot([both], ["nose"], tmp_path / "p.png", person=3)


@pytest.mark.parametrize("spec", ["mean:reach=1", "gaussian:sigma=2", "savitzky_golay"])
@pytest.mark.parametrize("count", [60, 300])
def test_a_filter_that_looks_both_ways_has_no_lag(spec, count):
    """Nor has it one more where it comes late; what it makes of trembling points is none."""
    t = np.arange(count) / FPS
    place = [300 + 80 * np.sin(2 * t) + 30 * np.sin(7 * t), 500 + 60 * np.cos(3 * t)]
    raw = np.stack(place, 1)[:, None] + np.random.default_rng(1).normal(0, 3, (count, 2, 2))
    even = get(spec)(raw)
    late = np.concatenate([np.full((3, 2, 2), np.nan), even[:-3]])
    assert lag_behind(raw, even, 1 / FPS) == 0
    assert lag_behind(raw, late, 1 / FPS) == pytest.approx(100, abs=4)
    assert np.isnan(lag_behind(raw[:9], even[:9], 1 / FPS))
    assert np.isnan(lag_behind(raw * 0, even * 0, 1 / FPS))


def test_tracks_of_the_same_name_are_told_apart_or_named(tmp_path, capsys):
    paths = []
    for folder in ("a/track", "b/track"):
        (tmp_path / folder).mkdir(parents=True)
        paths.append(str(a_track(tmp_path / folder / "track.jsonl", count=20)))
    command = ["plot", *paths, "--joint", "nose", "--out", str(tmp_path / "p.png")]
    assert main(command) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[:4]} == {
        "a/track",
        "b/track",
    }
    assert main([*command, "--names", "before,after"]) == 0
    assert "after refined: jitter" in capsys.readouterr().out


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_frame_or_two_are_a_plot_too(tmp_path, count):
    raw, refined = plot(
        [a_track(tmp_path / "t.jsonl", count=count)], ["nose"], tmp_path / "p.png", width=800
    )
    assert np.isnan(raw.jitter) == (count < 3) and np.isnan(refined.lag) >= (count < 3)
    assert pixels(tmp_path / "p.png").shape[1] == 800


def test_what_cannot_be_plotted_is_an_error_and_leaves_no_file(tmp_path):
    track, out = a_track(tmp_path / "t.jsonl", count=5), tmp_path / "p.png"
    for tracks, joints, words in (
        ([track], ["left_wist"], "did you mean left_wrist"),
        ([track], [], "1 to 12 joints"),
        ([], ["nose"], "found 0 tracks"),
        ([tmp_path / "none.jsonl"], ["nose"], "no such file"),
        ([write(tmp_path / "e.jsonl", [Result(0, 0.0)])], ["nose"], "found nobody"),
    ):
        with pytest.raises(ClimbEdgeError, match=words):
            plot(tracks, joints, out)
    with pytest.raises(ClimbEdgeError, match="width 100"):
        plot([track], ["nose"], out, width=100)
    assert not out.exists()


def test_ticks_are_round_and_inside():
    assert _ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert _ticks(-0.31, 0.52, 5) == [-0.2, 0, 0.2, 0.4]
    assert _ticks(1234, 1334, 5) == [1240, 1260, 1280, 1300, 1320]
    for low, high in ((0, 1e-3), (5, 7e4), (-3, 3)):
        ticks = _ticks(low, high, 12)
        assert 4 <= len(ticks) <= 13 and low <= min(ticks) and max(ticks) <= high
