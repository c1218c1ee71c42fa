package climbedge.core.estimators

import climbedge.core.media.Picture
import climbedge.core.pose.Affine
import kotlin.math.PI
import kotlin.math.atan2
import kotlin.math.cos
import kotlin.math.floor
import kotlin.math.hypot
import kotlin.math.sin

/** A rotated square of the image: centre and side in pixels, angle in radians, clockwise on the screen. */
class Region(val x: Double, val y: Double, val side: Double, val angle: Double = 0.0) {
    /** Pixel of a [size] x [size] crop -> image pixel. */
    fun affine(size: Int): Affine {
        val (c, s) = cos(angle) * side / size to sin(angle) * side / size
        val half = size / 2.0
        return Affine(c, -s, x - c * half + s * half, s, c, y - s * half - c * half)
    }

    /**
     * The region as (size, size, 3) values: bilinear, rounded to whole levels as an 8-bit picture would be, then
     * level / [divisor] + [offset]. Beyond the picture its edge goes on where [replicate], else black begins.
     *
     * Places and levels are rounded as OpenCV 5 rounds them: on a hard picture these networks turn a level in a thousand
     * pixels into another answer.
     */
    fun crop(picture: Picture, size: Int, replicate: Boolean, divisor: Float, offset: Float): FloatArray {
        val affine = affine(size)
        val (a, d) = affine.a.toFloat() to affine.d.toFloat()
        val out = FloatArray(size * size * 3)
        var at = 0
        for (row in 0 until size) {
            val startX = row * affine.b.toFloat() + affine.c.toFloat()
            val startY = row * affine.e.toFloat() + affine.f.toFloat()
            for (column in 0 until size) {
                val px = along(startX, column.toFloat(), a)
                val py = along(startY, column.toFloat(), d)
                val left = floor(px)
                val top = floor(py)
                val x = left.toInt()
                val y = top.toInt()
                val nw = pixel(picture, x, y, replicate)
                val ne = pixel(picture, x + 1, y, replicate)
                val sw = pixel(picture, x, y + 1, replicate)
                val se = pixel(picture, x + 1, y + 1, replicate)
                var shift = 16
                while (shift >= 0) {
                    val upper = between(level(nw, shift), level(ne, shift), px - left)
                    val lower = between(level(sw, shift), level(se, shift), px - left)
                    out[at++] = Math.rint(between(upper, lower, py - top).toDouble()).toFloat() / divisor + offset
                    shift -= 8
                }
            }
        }
        return out
    }

    /** from + by * step, rounded once, as a processor's fused operation does. */
    private fun along(from: Float, by: Float, step: Float) = (by.toDouble() * step + from).toFloat()

    private fun between(from: Float, to: Float, share: Float) = along(from, share, to - from)

    private fun level(pixel: Int, shift: Int) = (pixel shr shift and 255).toFloat()

    private fun pixel(picture: Picture, x: Int, y: Int, replicate: Boolean): Int {
        if (x >= 0 && y >= 0 && x < picture.width && y < picture.height) return picture.pixels[y * picture.width + x]
        return if (replicate) picture.pixels[y.coerceIn(0, picture.height - 1) * picture.width + x.coerceIn(0, picture.width - 1)] else 0
    }

    companion object {
        private const val GROW = 1.25

        /** The region of a body from its hip centre and a point on the circle around it, in image pixels; null for none. */
        fun around(x: Double, y: Double, rimX: Double, rimY: Double): Region? {
            val (dx, dy) = rimX - x to rimY - y
            val radius = hypot(dx, dy)
            if (!radius.isFinite() || radius < 1) return null
            val angle = PI / 2 - atan2(-dy, dx)
            return Region(x, y, 2 * radius * GROW, (angle + PI).mod(2 * PI) - PI)
        }
    }
}
