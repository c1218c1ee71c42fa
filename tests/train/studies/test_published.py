"""The published study: its figures, and its observations judged by the stated rule."""

import math

from train.studies import observations, published
from train.studies.observations import sentences


def test_an_observation_is_judged_by_the_stated_rule():
    def points(deciwatch: float, calm: float, without=()):
        """Every model falls by its figure with each step of the scalar, and at half of the
        frames.
        """
        drop = {"deciwatch": deciwatch, "convlstm_sum": calm / 4, "convlstm_concat": calm}
        steps = {s: (s[0] == "2") + (s[2] == "3") for s in published.SETUPS}
        return lambda m, s, a: (
            math.nan if (m, s) in without else 90.0 - steps[s] * drop[m] * (a == "0.1")
        )

    def verdicts(*given, **more):
        return [v for _, v, _ in sentences(points(*given, **more))]

    assert verdicts(8.0, 4.0) == ["confirmed"] * 2 and verdicts(7.9, 4.0) == ["partly"] * 2
    assert (
        verdicts(4.0, 4.0) == ["not confirmed"] * 2 and verdicts(0.0, 0.0) == ["not confirmed"] * 2
    )
    assert verdicts(-8.0, 4.0) == ["confirmed"] * 2  # a rise is a reaction too
    both = {("convlstm_sum", "1.1"), ("convlstm_sum", "2.1")}
    (_, scalar, why), (_, skipping, missing) = sentences(points(8.0, 4.0, both))
    assert scalar == "confirmed" and "only 2 of 3 pairs" in why
    assert skipping == "not shown" and missing == "missing: convlstm_sum 1.1, 2.1"
    alone = {("convlstm_sum", s) for s in published.SETUPS}  # one of the two may decide, against it
    assert (
        verdicts(4.0, 4.0, alone) == ["not confirmed"] * 2
        and verdicts(4.1, 4.0, alone) == ["not shown"] * 2
    )
    assert verdicts(4.0, 4.0, alone | {("deciwatch", "1.1"), ("deciwatch", "2.3")}) == [
        "not confirmed",
        "not shown",
    ]
    _, _, numbers = next(sentences(points(8.0, 4.0)))
    assert "deciwatch moved by 8.00 points" in numbers and "by 4.00 (convlstm_concat" in numbers


def test_published_figures_are_those_of_the_study():
    rows = {(r.model, r.version): r.pck for r in published.ROWS["finetune", "test"]}
    assert rows["identity", "mission"]["0.1"] == dict.fromkeys(published.SETUPS, 66.1)
    assert list(rows["deciwatch", "final"]["0.2"].values()) == [99.2, 99.2, 96.1, 99.2, 99.2, 92.8]
    assert (
        rows["conv3d", "final"]["0.05"]["2.3"] == 47.3
        and rows["convlstm_concat", "mission"]["0.05"]["1.2"] == 39.0
    )
    before = {r.model: r.pck for r in published.ROWS["pretrain", "test"]}
    halves = {"0.05": (6.95, 1.84), "0.1": (25.7, 7.75), "0.2": (67.4, 29.3)}
    assert before["identity"] == {
        a: dict(zip(published.SETUPS, (x,) * 3 + (y,) * 3, strict=True))
        for a, (x, y) in halves.items()
    }
    assert (
        before["convlstm_concat"]["0.05"]["2.3"] == 9.63
        and before["deciwatch"]["0.1"]["2.3"] == 24.4
    )
    told = [
        v
        for _, v, _ in sentences(
            observations.points_of(published.ROWS["finetune", "test"], "mission")
        )
    ]
    assert told == ["confirmed", "confirmed"]  # of its own figures the study is right by the rule
