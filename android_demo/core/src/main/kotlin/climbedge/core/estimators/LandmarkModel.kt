package climbedge.core.estimators

import climbedge.core.StageClock
import climbedge.core.media.Picture
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import climbedge.core.runtime.Session
import kotlin.math.exp

/** BlazePose's landmark model: heatmaps and landmarks of one region. */
class LandmarkModel(private val session: Session, private val clock: StageClock) {
    private val landmarks = session.output(1, 5 * MARKS)
    private val score = session.output(1, 1)
    private val maps = session.output(1, GRID, GRID, MARKS)

    /** What it says of a region; `rim` holds the body's centre and a point on its circle, x and y in crop pixels. */
    class Seen(val score: Float, val maps: Maps, val rim: DoubleArray)

    fun look(picture: Picture, region: Region): Seen {
        val crop = clock.stage("crop") { region.crop(picture, SIDE, replicate = true, divisor = 255f, offset = 0f) }
        val outputs = clock.stage("landmarks") { session.run(crop) }
        val logits = outputs[maps]
        val rim = RIM.flatMap { refined(outputs[landmarks], logits, it) }.toDoubleArray()
        return Seen(outputs[score][0], native(logits), rim)
    }

    /** The 25 keypoints' maps (64, 64, 25) out of the 39. */
    private fun native(logits: FloatArray): Maps {
        val out = Maps(GRID, GRID, Skeleton.K)
        for (cell in 0 until GRID * GRID) for (k in 0 until Skeleton.K) {
            out.values[cell * Skeleton.K + k] = sigmoid(logits[cell * MARKS + Skeleton.FROM_BLAZEPOSE33[k]])
        }
        return out
    }

    /** A landmark moved to the centre of mass of its heatmap in 7 x 7 cells around, where that is sure. */
    private fun refined(landmarks: FloatArray, logits: FloatArray, mark: Int): List<Double> {
        val (x, y) = landmarks[5 * mark].toDouble() to landmarks[5 * mark + 1].toDouble()
        val (column, row) = (x * GRID / SIDE).toInt() to (y * GRID / SIDE).toInt()
        if (column !in 0 until GRID || row !in 0 until GRID) return listOf(x, y)
        var (mass, mx, my) = doubleArrayOf(0.0, 0.0, 0.0)
        var peak = 0f
        for (r in maxOf(row - NEAR, 0)..minOf(row + NEAR, GRID - 1)) for (c in maxOf(column - NEAR, 0)..minOf(column + NEAR, GRID - 1)) {
            val value = sigmoid(logits[(r * GRID + c) * MARKS + mark])
            peak = maxOf(peak, value)
            mass += value
            mx += value * c
            my += value * r
        }
        return if (peak >= SURE) listOf(mx / mass * SIDE / GRID, my / mass * SIDE / GRID) else listOf(x, y)
    }

    private fun sigmoid(logit: Float) = 1 / (1 + exp(-logit.coerceIn(-60f, 60f)))

    companion object {
        const val SIDE = 256
        const val GRID = 64
        private const val MARKS = 39
        private const val NEAR = 3
        private const val SURE = 0.5f
        private val RIM = listOf(33, 34)
    }
}
