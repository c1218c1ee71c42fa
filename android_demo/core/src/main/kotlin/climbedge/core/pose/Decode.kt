package climbedge.core.pose

import kotlin.math.ln
import kotlin.math.max

/**
 * Place and height of each map's maximum, in cells: the mean over ties, then one second-order step on the log of the map
 * (Zhang et al., DARK, CVPR 2020, eq. 7, without the blur), at most one cell. Borders and ties are not refined; an empty map
 * gives the middle of the box and height 0.
 */
object Decode {
    /** Values are at least this under the logarithm. */
    const val FLOOR = 1e-10f

    /** Of the second derivatives: what is flatter is no peak. */
    const val LEAST_DETERMINANT = 1e-12f

    /** Cells; the longest step along an axis. */
    const val CLAMP = 1f

    /** Depth times (x, y, height). */
    fun places(maps: Maps): FloatArray {
        val peaks = peaks(maps)
        val (ties, xs, ys) = Triple(IntArray(maps.depth), LongArray(maps.depth), LongArray(maps.depth))
        var i = 0
        for (row in 0 until maps.rows) for (column in 0 until maps.columns) for (k in 0 until maps.depth) {
            if (maps.values[i++] >= peaks[k]) {
                ties[k]++
                xs[k] += column.toLong()
                ys[k] += row.toLong()
            }
        }
        val out = FloatArray(3 * maps.depth)
        for (k in 0 until maps.depth) {
            val empty = peaks[k] <= 0
            val (x, y) = xs[k].toFloat() / ties[k] to ys[k].toFloat() / ties[k]
            val (dx, dy) = if (empty || ties[k] != 1) 0f to 0f else step(maps, k, x.toInt(), y.toInt())
            out[3 * k] = if (empty) Maps.CENTRE else x + dx
            out[3 * k + 1] = if (empty) Maps.CENTRE else y + dy
            out[3 * k + 2] = if (empty) 0f else peaks[k]
        }
        return out
    }

    /** Places and scores of refined maps, which are whole at height [full]. */
    fun keypoints(maps: Maps, full: Double = Maps.PEAK): DoubleArray {
        val places = places(maps)
        return DoubleArray(places.size) {
            if (it % 3 == 2) (places[it] / full.toFloat()).coerceIn(0f, 1f).toDouble() else places[it].toDouble()
        }
    }

    private fun peaks(maps: Maps): FloatArray {
        val peaks = FloatArray(maps.depth) { Float.NEGATIVE_INFINITY }
        for (i in maps.values.indices) {
            val k = i % maps.depth
            if (maps.values[i] > peaks[k] || maps.values[i].isNaN()) peaks[k] = maps.values[i]
        }
        return peaks
    }

    private fun step(maps: Maps, k: Int, x: Int, y: Int): Pair<Float, Float> {
        if (x < 1 || y < 1 || x > maps.columns - 2 || y > maps.rows - 2) return 0f to 0f
        fun log(dx: Int, dy: Int) = ln(max(maps.values[((y + dy) * maps.columns + x + dx) * maps.depth + k], FLOOR))
        val (c, e, w) = Triple(log(0, 0), log(1, 0), log(-1, 0))
        val (n, s) = log(0, -1) to log(0, 1)
        val (gx, gy) = (e - w) / 2 to (s - n) / 2
        val (hxx, hyy) = e - 2 * c + w to s - 2 * c + n
        val hxy = (log(1, 1) - log(-1, 1) - log(1, -1) + log(-1, -1)) / 4
        val determinant = hxx * hyy - hxy * hxy
        if (!(hxx < 0 && determinant > LEAST_DETERMINANT)) return 0f to 0f
        val dx = (hxy * gy - hyy * gx) / determinant
        val dy = (hxy * gx - hxx * gy) / determinant
        return dx.coerceIn(-CLAMP, CLAMP) to dy.coerceIn(-CLAMP, CLAMP)
    }
}
