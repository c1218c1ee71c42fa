package climbedge.core

import java.nio.ByteBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Single steps give Python's numbers. */
class PartsTest {
    private val parts = Vectors("parts")

    private fun near(what: String, expected: FloatArray, found: FloatArray, most: Double) {
        val apart = apart(expected, found)
        assertTrue("$what: $apart away, at most $most", apart <= most)
    }

    @Test fun goldenInputIsMadeOfIntegers() {
        val frames = parts.shape("golden_frames")[0]
        near("frames", parts.floats("golden_frames"), (0 until frames).flatMap { Golden.frame(it).values.toList() }.toFloatArray(), 0.0)
        near("peaks", parts.floats("golden_peaks"), (0 until frames).flatMap { Golden.peaks(it).toList() }.toFloatArray(), 0.0)
    }

    @Test fun mapsAreWarpedAsOpenCvDoes() {
        val native = parts.maps("native")
        parts.list("warp").forEachIndexed { i, case ->
            val (x0, y0, x1, y1) = Vectors.doubles(case["box"])
            val warped = Warp.into(native, Vectors.affine(case["affine"]), Box(x0, y0, x1, y1).affine())
            near("warp $i", parts.floats("warp$i"), warped.values, 1e-6)
            near("normalised $i", parts.floats("normalised$i"), warped.normalise().values, 1e-4)
        }
    }

    @Test fun regionsAreCutAsOpenCvDoes() {
        val picture = parts.picture("picture")
        parts.list("crop").forEachIndexed { i, case ->
            val (x, y, side, angle) = Vectors.doubles(case["region"])
            val found = Region(x, y, side, angle).crop(picture, 64, case["replicate"] == true, 1f, 0f)
            val expected = parts.bytes("crop$i")
            near("crop $i", FloatArray(expected.size) { (expected[it].toInt() and 255).toFloat() }, found, 0.0)
        }
    }

    @Test fun maximaAreDecoded() {
        for (name in listOf("smooth", "odd", "golden")) {
            near(name, parts.floats("${name}_places"), Decode.places(parts.maps("${name}_maps")), 2e-4)
        }
    }

    @Test fun filtersFilter() {
        val windows = parts.floats("windows")
        for (spec in parts.index["filters"] as List<*>) {
            val filter = FilterSpec.parse(spec as String).filter()
            val found = FloatArray(windows.size)
            val frame = 2 * Skeleton.K
            for (w in 0 until windows.size / (5 * frame)) for (k in 0 until Skeleton.K) {
                fun at(t: Int, axis: Int) = (w * 5 + t) * frame + 2 * k + axis
                if (filter is OneEuro) {
                    val state = OneEuro.State()
                    for (t in 0 until 5) {
                        val point = filter.step(state, windows[at(t, 0)] / 56.0, windows[at(t, 1)] / 56.0, 30.0)
                        found[at(t, 0)] = ((point?.first ?: Double.NaN) * 56).toFloat()
                        found[at(t, 1)] = ((point?.second ?: Double.NaN) * 56).toFloat()
                    }
                } else for (axis in 0..1) {
                    val values = (filter as Filter.Window).apply(DoubleArray(5) { windows[at(it, axis)].toDouble() })
                    for (t in 0 until 5) found[at(t, axis)] = values[t].toFloat()
                }
            }
            near(spec, parts.floats("filtered $spec"), found, 1e-4)
        }
    }

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
