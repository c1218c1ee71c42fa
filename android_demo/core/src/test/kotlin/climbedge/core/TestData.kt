package climbedge.core

import climbedge.core.estimators.BlazePose
import climbedge.core.files.Json
import climbedge.core.media.Picture
import climbedge.core.pose.Affine
import climbedge.core.pose.Maps
import climbedge.core.runtime.Backend
import climbedge.core.runtime.ModelFile
import climbedge.core.runtime.TfLiteSession
import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.junit.Assert.assertTrue

/** What Python wrote for these tests (tools/golden), and the app's own models. */
object TestData {
    val golden = File(System.getProperty("golden.dir"))
    val assets = File(System.getProperty("assets.dir"))
    private val log = File(System.getProperty("native.log"))

    /** A refiner that gives maps: more of its contract can be wrong, and every delegate takes it whole. */
    val heatmapRefiner = File(golden, "models/conv3d.step-newest.float32.tflite")

    fun mapped(file: File): ByteBuffer = RandomAccessFile(file, "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, file.length()) }

    fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).apply { put(bytes); rewind() }

    fun model(file: File) = ModelFile.read(file.name, mapped(file))

    /** The app's refiners and those made for the tests. */
    fun models(): List<File> =
        (File(assets, "refiners").listFiles()!! + File(golden, "models").listFiles()!!).filter { it.extension == "tflite" }.sortedBy { it.name }

    /** What the native libraries logged while [block] ran. */
    fun <T> logged(block: () -> T): Pair<T, String> {
        val before = log.length()
        val result = block()
        val text = if (log.exists()) log.inputStream().use { it.skip(before); it.readBytes().decodeToString() } else ""
        return result to text
    }

    fun session(file: File, backend: Backend = Backend.CPU) = TfLiteSession.open(file.name, mapped(file), backend, 1)

    fun lite(clock: StageClock = StageClock()) = BlazePose(
        "blazepose-lite", session(File(assets, "estimator/pose_detection.tflite")), session(File(assets, "estimator/pose_landmark_lite.tflite")), clock = clock,
    )
}

/** Arrays by name: NAME.bin with its index NAME.json. */
class Vectors(name: String) {
    val index = Json.parse(File(TestData.golden, "$name.json").readText()) as Map<*, *>
    private val data = TestData.mapped(File(TestData.golden, "$name.bin")).order(ByteOrder.LITTLE_ENDIAN)

    fun shape(name: String): List<Int> = ((entry(name)["shape"]) as List<*>).map { (it as Long).toInt() }

    fun floats(name: String): FloatArray {
        val buffer = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).apply { position((entry(name)["at"] as Long).toInt()) }.slice().order(ByteOrder.LITTLE_ENDIAN)
        return FloatArray(shape(name).fold(1, Int::times)).also { buffer.asFloatBuffer().get(it) }
    }

    fun bytes(name: String): ByteArray {
        check(entry(name)["bytes"] == true) { "$name holds floats" }
        return ByteArray(shape(name).fold(1, Int::times)).also { data.duplicate().apply { position((entry(name)["at"] as Long).toInt()) }.get(it) }
    }

    /** An RGB array (H, W, 3). */
    fun picture(name: String): Picture {
        val (height, width) = shape(name)
        val rgb = bytes(name)
        return Picture(width, height, IntArray(width * height) { i -> packed(rgb, 3 * i) })
    }

    fun maps(name: String): Maps {
        val (rows, columns, depth) = shape(name)
        return Maps(rows, columns, depth, floats(name))
    }

    fun list(name: String): List<Map<*, *>> = (index[name] as List<*>).map { it as Map<*, *> }

    private fun entry(name: String) = (index["arrays"] as Map<*, *>)[name] as? Map<*, *> ?: error("no array $name")

    companion object {
        fun packed(rgb: ByteArray, at: Int) = (255 shl 24) or ((rgb[at].toInt() and 255) shl 16) or ((rgb[at + 1].toInt() and 255) shl 8) or (rgb[at + 2].toInt() and 255)

        fun doubles(value: Any?): DoubleArray = (value as List<*>).map { (it as Number).toDouble() }.toDoubleArray()

        fun affine(value: Any?): Affine = doubles(value).let { Affine(it[0], it[1], it[2], it[3], it[4], it[5]) }
    }
}

/** Largest difference; NaN must meet NaN. */
fun apart(expected: FloatArray, found: FloatArray): Double {
    check(expected.size == found.size) { "expected ${expected.size} values, found ${found.size}" }
    return expected.indices.maxOf {
        if (expected[it].isNaN() || found[it].isNaN()) { if (expected[it].isNaN() == found[it].isNaN()) 0.0 else 1e9 } else Math.abs(expected[it] - found[it]).toDouble()
    }
}

fun near(what: String, expected: FloatArray, found: FloatArray, most: Double) {
    val apart = apart(expected, found)
    assertTrue("$what: $apart away, at most $most", apart <= most)
}
