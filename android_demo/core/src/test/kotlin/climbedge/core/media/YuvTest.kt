package climbedge.core.media

import climbedge.core.Vectors
import java.nio.ByteBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

/** Camera buffers become the pictures that OpenCV makes of them. */
class YuvTest {
    private val parts = Vectors("parts")

    @Test fun cameraBuffersBecomePictures() {
        for (case in parts.list("yuv")) {
            val name = case["name"] as String
            val (width, height) = (case["width"] as Long).toInt() to (case["height"] as Long).toInt()
            for (layout in 0..2) {
                val (u, v) = chroma(parts, name, layout)
                val yuv = Yuv(width, height, plane(parts, "$name y", pad = 3 * layout, step = 1), u, v)
                for (degrees in listOf(0, 90, 180, 270)) for (mirrored in listOf(false, true)) {
                    val expected = parts.picture("$name $degrees" + if (mirrored) " mirrored" else "")
                    val found = yuv.picture(degrees, mirrored)
                    assertEquals(expected.width, found.width)
                    assertArrayEquals("$name $degrees $mirrored layout $layout", expected.pixels, found.pixels)
                }
            }
        }
    }

    /** A plane with [pad] bytes after each row but the last, and [step] bytes from sample to sample. */
    private fun plane(from: Vectors, name: String, pad: Int, step: Int): Plane {
        val (rows, columns) = from.shape(name)
        val samples = from.bytes(name)
        val stride = columns * step + pad
        val bytes = ByteArray(stride * (rows - 1) + (columns - 1) * step + 1) { -1 }
        for (i in samples.indices) bytes[i / columns * stride + i % columns * step] = samples[i]
        return Plane(ByteBuffer.wrap(bytes), stride, step)
    }

    /** Planar, planar with long rows, and interleaved as most phones have it. */
    private fun chroma(from: Vectors, name: String, layout: Int): Pair<Plane, Plane> {
        val step = if (layout == 2) 2 else 1
        return plane(from, "$name u", 5 * layout, step) to plane(from, "$name v", 5 * layout, step)
    }
}
