package climbedge.core.pose

/**
 * Samples a map on the 56 x 56 grid of a box: bilinear, zero outside.
 *
 * Places are rounded to 1/32 of a cell, by OpenCV's integer arithmetic for this operation: the numbers are those of the
 * desktop, not close to them.
 */
object Warp {
    private const val BITS = 10 // of a place between two cells
    private const val FINE = 5 // of them the ones that interpolate
    private const val STEPS = 1 shl FINE

    /** [affine] maps the cells of [native] to image pixels, [frame] the new grid's cells to image pixels. */
    fun into(native: Maps, affine: Affine, frame: Affine): Maps {
        val cells = affine.inverse().after(frame)
        val out = Maps(Maps.SIZE, Maps.SIZE, native.depth)
        val dx = IntArray(Maps.SIZE) { fixed(cells.a * it) }
        val dy = IntArray(Maps.SIZE) { fixed(cells.d * it) }
        val half = 1 shl (BITS - FINE - 1)
        for (row in 0 until Maps.SIZE) {
            val x0 = fixed(cells.b * row + cells.c) + half
            val y0 = fixed(cells.e * row + cells.f) + half
            for (column in 0 until Maps.SIZE) {
                sample(native, (x0 + dx[column]) shr (BITS - FINE), (y0 + dy[column]) shr (BITS - FINE), out.values, (row * Maps.SIZE + column) * native.depth)
            }
        }
        return out
    }

    /** Adds the four cells around place ([x], [y]), in 1/32 cells, to `to` from `at` on. */
    private fun sample(from: Maps, x: Int, y: Int, to: FloatArray, at: Int) {
        val fx = (x and STEPS - 1) / STEPS.toFloat()
        val fy = (y and STEPS - 1) / STEPS.toFloat()
        for (below in 0..1) for (right in 0..1) {
            val column = (x shr FINE) + right
            val row = (y shr FINE) + below
            if (column < 0 || row < 0 || column >= from.columns || row >= from.rows) continue
            val weight = (if (right == 1) fx else 1 - fx) * (if (below == 1) fy else 1 - fy)
            if (weight == 0f) continue
            val source = (row * from.columns + column) * from.depth
            for (k in 0 until from.depth) to[at + k] += weight * from.values[source + k]
        }
    }

    private fun fixed(value: Double): Int = Math.rint(value * (1 shl BITS)).toLong().coerceIn(-FAR, FAR).toInt()

    private const val FAR = 1L shl 29 // sums of two stay inside an Int
}
