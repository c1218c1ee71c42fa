package climbedge.core.media

import java.nio.ByteBuffer

/** How a source's luma and chroma become colours: camera buffers use the full range, most videos part of it. */
enum class Colours(internal val black: Int, internal val luma: Int, internal val rv: Int, internal val gv: Int, internal val gu: Int, internal val bu: Int) {
    FULL_601(0, 16384, 22987, -11698, -5636, 29049),
    VIDEO_601(16, 19077, 26149, -13320, -6419, 33050),
    VIDEO_709(16, 19077, 29372, -8731, -3494, 34610),
}

/** One plane of a buffer: sample (x, y) stands at y * rowStride + x * pixelStride. */
class Plane(val bytes: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/** A YUV_420_888 buffer, whatever its strides: planar, semi-planar, with rows longer than the picture. */
class Yuv(val width: Int, val height: Int, private val y: Plane, private val u: Plane, private val v: Plane) {
    /** The picture turned clockwise by [degrees] (0, 90, 180, 270), then seen in a mirror where [mirrored]. */
    fun picture(degrees: Int, mirrored: Boolean, colours: Colours = Colours.FULL_601, into: IntArray? = null): Picture {
        val quarter = degrees.mod(360) / 90
        val (w, h) = if (quarter % 2 == 0) width to height else height to width
        val pixels = into?.takeIf { it.size == w * h } ?: IntArray(w * h)
        for (row in 0 until height) for (column in 0 until width) {
            var x = when (quarter) { 0 -> column; 1 -> height - 1 - row; 2 -> width - 1 - column; else -> row }
            val down = when (quarter) { 0 -> row; 1 -> column; 2 -> height - 1 - row; else -> width - 1 - column }
            if (mirrored) x = w - 1 - x
            pixels[down * w + x] = pixel(column, row, colours)
        }
        return Picture(w, h, pixels)
    }

    private fun pixel(x: Int, y: Int, by: Colours): Int {
        val luma = (sample(this.y, x, y) - by.black) * by.luma
        val cu = sample(u, x / 2, y / 2) - 128
        val cv = sample(v, x / 2, y / 2) - 128
        val r = level(luma + by.rv * cv)
        val g = level(luma + by.gv * cv + by.gu * cu)
        val b = level(luma + by.bu * cu)
        return (255 shl 24) or (r shl 16) or (g shl 8) or b
    }

    private fun sample(plane: Plane, x: Int, y: Int) = plane.bytes.get(y * plane.rowStride + x * plane.pixelStride).toInt() and 255

    private fun level(fixed: Int) = ((fixed + HALF) shr BITS).coerceIn(0, 255)

    private companion object {
        const val BITS = 14
        const val HALF = 1 shl (BITS - 1)
    }
}
