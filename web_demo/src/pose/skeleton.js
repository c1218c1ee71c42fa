// The 25 keypoints as data. Odd indices are left, even ones right; 0 is the nose.

export const KEYPOINTS = [
  "nose", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
  "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
  "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
  "left_heel", "right_heel", "left_foot_index", "right_foot_index",
];
export const K = KEYPOINTS.length;
export const SHOWN = 0.2; // score from which on a keypoint counts as seen

const at = name => KEYPOINTS.indexOf(name);

export const BONES = [
  ["nose", "left_ear"], ["nose", "right_ear"], ["left_shoulder", "right_shoulder"], ["left_hip", "right_hip"],
  ...["left", "right"].flatMap(side => [
    ["shoulder", "elbow"], ["elbow", "wrist"], ["wrist", "pinky"], ["wrist", "index"], ["wrist", "thumb"],
    ["shoulder", "hip"], ["hip", "knee"], ["knee", "ankle"], ["ankle", "heel"], ["heel", "foot_index"],
    ["ankle", "foot_index"],
  ].map(pair => pair.map(part => `${side}_${part}`))),
].map(([a, b]) => [at(a), at(b)]);

/** BlazePose landmark of each keypoint. */
export const FROM_BLAZEPOSE33 = [0, 7, 8, ...Array.from({length: 22}, (_, i) => 11 + i)];

/** Hands and feet: the joints that leave trails. */
export const TRAILED = ["left_wrist", "left_ankle", "right_wrist", "right_ankle"].map(at);
