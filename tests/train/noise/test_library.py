"""Noises by name, and files of fitted ones: what is there, and what is refused."""

import json

import pytest

from climb_edge.errors import ClimbEdgeError
from train.noise.library import FOLDER, NAMES, get


def test_every_built_in_has_its_name_and_a_fitted_one_says_what_it_comes_from():
    assert {"1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "blazepose", FITTED} <= set(NAMES)
    assert all(get(name).name == name for name in NAMES)
    assert get(FOLDER / f"{FITTED}.json") == get(FITTED)
    about = json.loads((FOLDER / f"{FITTED}.json").read_text())["provenance"]
    assert (
        about["truth"] == "human"
        and about["estimator"] == FITTED
        and about["borrowed"]["toes"] == "ankle"
    )
    assert not get(FITTED).offsets


FITTED = "blazepose-lite"


@pytest.mark.parametrize("name", ["3.1", "", "blazepose-lite.npz"])
def test_an_unknown_name_lists_what_there_is(name):
    with pytest.raises(
        ClimbEdgeError, match=r"expected one of 1\.1, .*blazepose-lite, or a \.json"
    ):
        get(name)


def spoilt(change):
    data = json.loads((FOLDER / f"{FITTED}.json").read_text())
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "a damaged file"),
        ("[]", "a damaged file"),
        ("\udcff", "a damaged file"),
        (spoilt(lambda d: d.pop("schema")), "'schema'"),
        (spoilt(lambda d: d.pop("provenance")), "'provenance'"),
        (spoilt(lambda d: d.update(schema="climb-edge/noise/9")), "climb-edge/noise/9"),
        (spoilt(lambda d: d.update(name=7)), "name 7"),
        (spoilt(lambda d: d.update(figures=3)), "a damaged file"),
        (spoilt(lambda d: d["figures"].pop("sd")), r"missing \['sd'\]"),
        (spoilt(lambda d: d["figures"].update(magic=1)), r"unknown \['magic'\]"),
        (
            spoilt(lambda d: d["figures"]["memory"].__setitem__(4, float("nan"))),
            "NaN is no number of JSON",
        ),
        (
            spoilt(lambda d: d["figures"]["sd"][3].__setitem__(1, -0.05)),
            "sd that is not 25 x 2 within 0 to 10",
        ),
        (spoilt(lambda d: d["figures"]["sd"][3].append(0.05)), "a damaged file"),
        (spoilt(lambda d: d["figures"]["white"].pop()), "white that is not 25 within"),
        (
            spoilt(lambda d: d["figures"].update(blur_lowest=[1.0])),
            "blur_lowest that is not one within",
        ),
        (spoilt(lambda d: d["figures"].update(body_run="3")), "body_run that is not one within"),
        (
            spoilt(lambda d: d["figures"].update(body_spread=True)),
            "body_spread that is not one within",
        ),
        (
            spoilt(lambda d: d["figures"].update(peak_memory=10**400)),
            "beyond 64 bits",
        ),
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, text, found):
    path = tmp_path / "own.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ClimbEdgeError, match=found) as caught:
        get(path)
    assert str(path) in str(caught.value) and "fit-noise" in str(caught.value)
    with pytest.raises(ClimbEdgeError, match="found no such file"):
        get(tmp_path / "none.json")
