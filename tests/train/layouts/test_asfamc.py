"""Motion capture (.asf and .amc): the joints that plain matrices give; what is damaged is named."""

import re

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import KEYPOINTS
from support.motion_capture import PARENTS, asfamc_folder, random_take, turn, write_amc, write_asf
from train.layouts import asfamc, read
from train.synthesis.motion import load_motion, mocap_clips


def test_asf_and_amc_give_the_joints_that_plain_matrices_give(tmp_path):
    bones, motion, wanted = random_take(1, 9)
    write_asf(tmp_path / "07.asf", bones)
    write_amc(tmp_path / "07_01.amc", motion)
    write_amc(tmp_path / "07_02.amc", motion[:4])
    got = read("asfamc", tmp_path, strict=True)
    motion3 = got.motion
    assert (
        motion3.sequence == ("07_01", "07_02")
        and motion3.offsets.tolist() == [0, 3, 4]
        and got.clips is None
    )
    assert set(motion3.joint_names) == {"root", *PARENTS}
    for row, frame in enumerate((0, 4, 8, 0)):  # every fourth, from the first
        for i, name in enumerate(motion3.joint_names):
            np.testing.assert_allclose(
                motion3.joints3d[row, i], wanted[frame][name], atol=2e-6, err_msg=name
            )
    full = read("asfamc", tmp_path, fps=120.0).motion
    assert len(full.kp25_3d) == 13 and full.fps == 120
    got.save(tmp_path / "motion.npz")
    takes, fps = load_motion(tmp_path / "motion.npz")
    assert fps == 30 and [len(t) for t in takes] == [3, 1]
    np.testing.assert_array_equal(takes[0], motion3.kp25_3d[:3])
    with pytest.raises(ClimbEdgeError, match="whole multiple"):
        read("asfamc", tmp_path, fps=50.0)


def test_keypoints_of_real_joints_are_those_of_the_data_folder(data_folder):
    with np.load(data_folder / "cmu_climb.npz") as real:
        names, joints = tuple(real["joint_names"].tolist()), real["joints3d"][::7].astype(float)
        got = asfamc.keypoints(joints, names)
        assert np.abs(got - real["kp25_3d"][::7]).max() < 1e-6
        assert [n in asfamc.MEASURED for n in KEYPOINTS] == (real["kp25_is_measured"] == 1).tolist()


def test_asf_and_amc_made_of_real_joints_give_the_data_folders_motion(tmp_path, data_folder):
    """Two real takes as one skeleton and its angles, the three frames between each kept two filled
    with others.
    """
    from scipy.spatial.transform import Rotation

    with np.load(data_folder / "cmu_climb.npz") as real:
        real = dict(real)
    names, scale = real["joint_names"].tolist(), 0.0254 / 0.45
    index = {n: i for i, n in enumerate(names)}
    rng = np.random.default_rng(2)
    first = real["joints3d"][0].astype(float)
    # A thumb's length changes a little in float32; every bone's rest direction is random, the
    # angles make up for it.
    rest = {n: rng.normal(size=3) for n in PARENTS}
    bones = {
        n: (
            d / np.linalg.norm(d),
            np.linalg.norm(first[index[n]] - first[index[PARENTS[n]]]) / scale,
            rng.uniform(-90, 90, 3),
            "xyz",
        )
        for n, d in rest.items()
    }
    write_asf(tmp_path / "01.asf", bones)
    kept = []
    for take in (0, 3):
        rows = np.arange(real["offsets"][take], real["offsets"][take] + 25)
        kept.append(rows)
        frames = []
        for row in rows:
            joints, turned, frame = (
                real["joints3d"][row].astype(float),
                {"root": Rotation.identity()},
                {},
            )
            frame["root"] = [*joints[0] / scale, 0, 0, 0]
            for name in names[1:]:
                parent = PARENTS[name]
                along = joints[index[name]] - joints[index[parent]]
                turned[name] = Rotation.align_vectors(
                    [along / np.linalg.norm(along)], [bones[name][0]]
                )[0]
                own = Rotation.from_matrix(turn("xyz", bones[name][2]))
                local = own.inv() * turned[parent].inv() * turned[name] * own
                frame[name] = local.as_euler("xyz", degrees=True)
            frames += [
                frame,
                *({n: rng.uniform(-9, 9, len(v)) for n, v in frame.items()} for _ in range(3)),
            ]
        write_amc(tmp_path / f"{real['sequence'][take]}.amc", frames)
    motion = read("asfamc", tmp_path).motion
    rows = np.concatenate(kept)
    order = [motion.joint_names.index(n) for n in names]
    assert np.abs(motion.joints3d[:, order] - real["joints3d"][rows]).max() < 1e-5
    assert np.abs(motion.kp25_3d - real["kp25_3d"][rows]).max() < 2e-5
    assert motion.sequence == tuple(real["sequence"][[0, 3]].tolist())
    motion.save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as saved:
        assert {k: (v.dtype.kind, v.ndim) for k, v in saved.items()} == {
            k: (v.dtype.kind, v.ndim) for k, v in real.items()
        }
        for name in ("kp25_names", "kp25_is_measured", "fps", "offsets"):
            assert saved[name].dtype == real[name].dtype
        np.testing.assert_array_equal(saved["kp25_is_measured"], real["kp25_is_measured"])
    assert len(mocap_clips(tmp_path / "motion.npz", cameras=1)) == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("07_02.amc", "\n3\n", "\n4\n", "frame 3 expected"),
        ("07_02.amc", "root ", "boot ", "boot"),
        ("07_02.amc", r"root \S+ ", "root nan ", "root"),
        ("07_02.amc", r"root \S+ ", "root 1e300 ", "joints holds"),
        ("07_02.amc", "\nroot ", "\nroot 1 ", "root"),
        ("07_02.amc", "\n1\n", "\n1\ntail 4\n", "tail"),
        ("07_02.amc", r"\nlowerneck .*\n", "\n", "bones of the last missing"),
        ("07_02.amc", r"\n5\nroot .*\n", "\n5\n", "frame 5: 1 bones missing"),
        ("07.asf", "  end\n:hierarchy", "  end\n:hierarch", "hierarchy"),
        ("07.asf", "    root lhipjoint", "    root", "way to the root"),
        ("07.asf", "    lfemur ltibia", "    ltibia ltibia", "way to the root"),
        ("07.asf", "name head", "name hat", "hat"),
        ("07.asf", "length 0.45", "length 0", "ZeroDivisionError"),
        ("07.asf", "order TX TY TZ", "order TX TY", "tx, ty and tz"),
        ("07.asf", "direction", "direction nan", "not understood"),
        ("07.asf", r"axis [-0-9]\S*", "axis " + 400 * "9", "not understood"),
    ],
)
def test_damaged_motion_capture_is_named(tmp_path, file, old, new, says):
    asfamc_folder(tmp_path)
    path = tmp_path / file
    text, changes = re.subn(old, new, path.read_text(), count=1)
    assert changes
    path.write_text(text)
    if file == "07_02.amc":
        got = read("asfamc", tmp_path)
        assert (
            got.motion.sequence == ("07_01",) and says in got.skipped[0] and file in got.skipped[0]
        )
    with pytest.raises(ClimbEdgeError, match=rf"{file}.*{says}"):
        read("asfamc", tmp_path, strict=True)


def test_motion_without_its_skeleton_or_with_other_joints_is_named(tmp_path):
    asfamc_folder(tmp_path)
    (tmp_path / "08_01.amc").write_text("x")
    assert "08_01.amc" in read("asfamc", tmp_path).skipped[0]
    (tmp_path / "07.asf").unlink()
    with pytest.raises(ClimbEdgeError, match=r"07\.asf beside it"):
        read("asfamc", tmp_path)
    with pytest.raises(ClimbEdgeError, match="head, lclavicle"):
        asfamc.keypoints(np.zeros((1, 1, 3)), ("root",))
