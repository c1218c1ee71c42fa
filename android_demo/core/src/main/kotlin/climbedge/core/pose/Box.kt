package climbedge.core.pose

import kotlin.math.max
import kotlin.math.min

/** The frame of reference in which heatmaps live, in image pixels: cell u of 56 lies at x0 + u (x1 - x0) / 56. */
data class Box(val x0: Double, val y0: Double, val x1: Double, val y1: Double) {
    val width get() = x1 - x0
    val height get() = y1 - y0

    /** Cells of a [size] x [size] grid over the box -> image pixels. */
    fun affine(size: Int = Maps.SIZE) = Affine(width / size, 0.0, x0, 0.0, height / size, y0)

    /** Intersection over union, 0..1. */
    fun overlap(other: Box): Double {
        val inner = max(min(x1, other.x1) - max(x0, other.x0), 0.0) * max(min(y1, other.y1) - max(y0, other.y0), 0.0)
        val union = width * height + other.width * other.height - inner
        return if (union > 0) inner / union else 0.0
    }

    companion object {
        /** Smallest box around the finite ones of points (x, y and [stride] - 2 more values each); null where there is none. */
        fun around(points: FloatArray, stride: Int): Box? = around(DoubleArray(points.size) { points[it].toDouble() }, stride)

        fun around(points: DoubleArray, stride: Int): Box? {
            var (x0, y0, x1, y1) = doubleArrayOf(Double.MAX_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, -Double.MAX_VALUE)
            for (i in points.indices step stride) {
                val (x, y) = points[i] to points[i + 1]
                if (!x.isFinite() || !y.isFinite()) continue
                x0 = min(x0, x); y0 = min(y0, y); x1 = max(x1, x); y1 = max(y1, y)
            }
            return if (x1 >= x0) Box(x0, y0, x1, y1) else null
        }
    }
}
