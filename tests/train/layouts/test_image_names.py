"""File names of pictures: which video, which frame."""

import pytest

from train.layouts.formats.image_names import locate, relative

HASH = "795b929e9a9a80fdea7b5bf55eb561a4"


@pytest.mark.parametrize(
    ("file_name", "wanted"),
    [
        (f"climb_mp4-0012_jpg.rf.{HASH}.jpg", ("climb.mp4", 12)),
        ("climb_MOV-12_png.rf.PgMSKhZrQZ1sZ0pC5k1H.png", ("climb.MOV", 12)),
        (f"frame_000012_jpg.rf.{HASH}.jpg", ("default.mp4", 12)),
        (f"climb_jpg.rf.{HASH}.jpg", None),  # 561 or 4 is no frame
        ("climb_frame_000123.png", ("climb.mp4", 123)),
        ("climb.mp4.0012.jpg", ("climb.mp4", 12)),
        ("climb (12).jpg", ("climb.mp4", 12)),
        ("frame_12.jpg.png", ("default.mp4", 12)),
        ("labeled-data/climb/img0001.png", ("climb.mp4", 1)),
        ("d6225675-000123.png", ("default.mp4", 123)),
        ("20240512-climb_0007.png", ("20240512-climb.mp4", 7)),  # a date is no upload's hash
        ("train/images/climb_12.jpg", ("climb.mp4", 12)),
        ("Train/frame_000001.PNG", ("Train.mp4", 1)),  # nothing else names it
    ],
)
def test_names_of_tools_say_video_and_frame(file_name, wanted):
    assert locate(relative([file_name])[0], "default", ".mp4") == wanted


@pytest.mark.parametrize(
    ("file_names", "wanted"),
    [
        ([r"..\..\label-studio\media\upload\4\d6225675-climb_000003.png"], ["climb"]),
        (["/data/upload/3/abcdef01-climb_0003.jpg"], ["climb"]),
        (["12345678-climb_0003.jpg", "a2345678-climb_0003.jpg"], ["climb", "climb"]),
        (
            ["20240512-climb_0003.jpg", "20240513-climb_0003.jpg"],
            ["20240512-climb", "20240513-climb"],
        ),
        (["/data/local-files/?d=gym%20wall/climb_0003.jpg"], ["gym wall/climb"]),
        (["s3://bucket/x/climb/frame_3.jpg?signature=1"], ["climb"]),
        (["/home/me/project/labeled-data/climb/img0003.png"], ["climb"]),
        (["/datasets/climb/frame_3.jpg"], ["climb"]),
        (
            [r"C:\Users\me\wall3\frame_0003.png", r"C:\Users\me\wall4\frame_0003.png"],
            ["wall3", "wall4"],
        ),
        ([r"C:\Users\me\wall3\frame_0003.png"], ["wall3"]),
        (["/home/me/pictures/climb_0003.png"], ["climb"]),
        (["/home/me/day1/climb_3.png", "/home/me/day2/climb_3.png"], ["day1/climb", "day2/climb"]),
    ],
)
def test_what_another_machine_put_before_a_name_is_cut(file_names, wanted):
    assert [locate(name, "default") for name in relative(file_names)] == [(w, 3) for w in wanted]
