package climbedge.core.pose

/** The 25 keypoints as data, in the order of every model: BlazePose's landmarks without eyes and mouth. */
object Skeleton {
    val KEYPOINTS = listOf(
        "nose", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
        "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index",
        "right_foot_index",
    )

    const val K = 25

    /** Score from which on a keypoint counts as seen and is drawn in full. */
    const val SHOWN = 0.2f

    /** BlazePose landmark of each keypoint. */
    val FROM_BLAZEPOSE33 = IntArray(K) { if (it == 0) 0 else if (it < 3) 6 + it else 8 + it }

    val BONES: List<Pair<Int, Int>> = run {
        val sided = listOf(
            "shoulder" to "elbow", "elbow" to "wrist", "wrist" to "pinky", "wrist" to "index", "wrist" to "thumb",
            "shoulder" to "hip", "hip" to "knee", "knee" to "ankle", "ankle" to "heel", "heel" to "foot_index",
            "ankle" to "foot_index",
        )
        val across = listOf(
            "nose" to "left_ear", "nose" to "right_ear", "left_shoulder" to "right_shoulder", "left_hip" to "right_hip",
        )
        val names = across + listOf("left", "right").flatMap { side -> sided.map { (a, b) -> "${side}_$a" to "${side}_$b" } }
        names.map { (a, b) -> KEYPOINTS.indexOf(a) to KEYPOINTS.indexOf(b) }
    }
}
