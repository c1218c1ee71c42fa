package climbedge.core.refiners

import climbedge.core.pose.Affine
import climbedge.core.pose.Decode
import climbedge.core.pose.Maps
import climbedge.core.runtime.Contract
import java.io.Closeable

/** Turns the heatmaps of one person, frame after frame, into keypoints of that frame or of the one `delay` frames ago. */
interface Refiner : Closeable {
    val name: String
    val delay: Int

    /** Frames a second that it was made for; null where nobody knows. */
    val rate: Double?

    /** What computes, and why that. */
    val backend: String
    val reason: String

    fun start(): RefinerState

    override fun close() = Unit
}

/** One person's frames so far, in one box. */
interface RefinerState {
    /**
     * Maps of the next frame and what the estimator saw in it (25 times x, y in cells of the box, and the height of the map)
     * -> keypoints (25 times x, y in cells and a score) of the frame `delay` frames ago, then of the later ones as far as they
     * can be told. Null before the fifth frame.
     */
    fun push(maps: Maps, seen: DoubleArray): List<DoubleArray>?

    /** The box has moved; false where this state cannot follow, and a new one has to see the last frames again. */
    fun moved(oldToNew: Affine): Boolean = false
}

/** Changes nothing: the newest input map, decoded. */
object Identity : Refiner {
    override val name = "identity"
    override val delay = 0
    override val rate: Double? = null
    override val backend = "cpu"
    override val reason = "there is no graph to run"

    override fun start() = object : RefinerState {
        private var count = 0

        override fun push(maps: Maps, seen: DoubleArray) =
            if (++count >= Contract.WINDOW) listOf(Decode.keypoints(maps)) else null
    }
}
