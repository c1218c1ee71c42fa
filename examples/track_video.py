"""Track a video, and read the keypoints: python examples/track_video.py [VIDEO]"""

import sys

import climb_edge
from climb_edge.files.assets import locate

video = sys.argv[1] if len(sys.argv) > 1 else str(locate("demo.mp4"))
done = climb_edge.track(source=video, seconds=2, export=["csv"], out="out/examples/track")
wrist = climb_edge.KEYPOINTS.index("left_wrist")
for result in done.results[::15]:
    if result.refined is not None:
        x, y, score = result.refined[wrist]
        print(f"{result.time:5.2f} s  left wrist at {x:6.1f}, {y:6.1f}  score {score:.2f}")
print(f"watch {done.overlay}")
