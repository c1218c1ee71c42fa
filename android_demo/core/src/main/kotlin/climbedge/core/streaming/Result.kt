package climbedge.core.streaming

import climbedge.core.pose.Box

enum class State(val words: String) { WARMING_UP("warming up"), TRACKING("tracking"), RE_ANCHORED("re-anchored"), LOST("lost") }

/**
 * What is known of one person in one frame; all but frame and time is empty where nobody was seen. Keypoints are 25 times x, y
 * in image pixels and a score; `refined` equals `raw` while warming up. `delay`: frames that had to pass before this was given.
 */
data class Result(
    val frame: Int,
    val time: Double,
    val person: Int? = null,
    val state: State = State.LOST,
    val delay: Int = 0,
    val box: Box? = null,
    val raw: FloatArray? = null,
    val refined: FloatArray? = null,
)
