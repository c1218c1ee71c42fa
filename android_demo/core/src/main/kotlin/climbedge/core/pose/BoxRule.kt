package climbedge.core.pose

import kotlin.math.max

/**
 * How a stream chooses its box: the extent of the pose, squared and grown, held until a keypoint comes near its edge or the
 * pose has become small in it.
 */
object BoxRule {
    const val GROW = 0.25
    const val OUTER = 0.08
    const val SHRUNK = 0.5
    const val LEAST = 4.0 // pixels a side, so that a pose seen edge-on still spans a grid

    /** The box for keypoints (25 times x, y, score), given the one held so far; null where no box can be told. */
    fun update(held: Box?, keypoints: FloatArray): Box? {
        val pose = Box.around(keypoints, 3)
        return if (pose == null || (held != null && !mustMove(held, pose))) held else square(pose)
    }

    private fun square(pose: Box): Box {
        val half = maxOf(pose.width, pose.height, LEAST) * (1 + GROW) / 2
        val (x, y) = (pose.x0 + pose.x1) / 2 to (pose.y0 + pose.y1) / 2
        return Box(x - half, y - half, x + half, y + half)
    }

    private fun mustMove(box: Box, pose: Box): Boolean {
        val (dx, dy) = OUTER * box.width to OUTER * box.height
        return pose.x0 < box.x0 + dx || pose.y0 < box.y0 + dy || pose.x1 > box.x1 - dx || pose.y1 > box.y1 - dy ||
            max(pose.width, pose.height) < SHRUNK * max(box.width, box.height)
    }
}
