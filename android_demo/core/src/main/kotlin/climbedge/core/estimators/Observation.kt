package climbedge.core.estimators

import climbedge.core.media.Frame
import climbedge.core.pose.Affine
import climbedge.core.pose.Box
import climbedge.core.pose.Decode
import climbedge.core.pose.Maps

/** What the estimator says of one person in one frame. */
class Observation private constructor(
    /** The estimator's own maps (64, 64, 25), values 0..1. */
    val native: Maps,
    /** Cells of [native] -> image pixels. */
    val affine: Affine,
    /** 25 times x, y in image pixels and the height of the map, 0..1. */
    val keypoints: FloatArray,
    val extent: Box,
    val person: Int,
) {
    fun of(person: Int) = Observation(native, affine, keypoints, extent, person)

    companion object {
        /**
         * Decodes the maps; null where no keypoint is a number. A map with a value that is none shows nothing: it becomes empty, and no
         * later frame sees it.
         */
        fun of(seen: Maps, affine: Affine): Observation? {
            val native = seen.emptied()
            val places = Decode.places(native)
            val keypoints = FloatArray(places.size) {
                val k = it / 3 * 3
                val (x, y) = places[k].toDouble() to places[k + 1].toDouble()
                when (it % 3) {
                    0 -> affine.x(x, y).toFloat()
                    1 -> affine.y(x, y).toFloat()
                    else -> places[it].coerceIn(0f, 1f)
                }
            }
            return Observation(native, affine, keypoints, Box.around(keypoints, 3) ?: return null, -1)
        }
    }
}

/** Turns frames, in order, into observations; [reset] before frames of another source. */
interface Estimator : java.io.Closeable {
    val name: String

    fun observe(frame: Frame): List<Observation>

    fun reset()
}
