package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import climbedge.core.TestData
import climbedge.core.files.TrailingZip
import climbedge.core.refiners.GraphRefiner
import java.io.ByteArrayOutputStream
import java.io.File
import java.nio.ByteBuffer
import java.util.Random
import java.util.zip.CRC32
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Damaged and hostile files: a message that names the file and says what to do, and never anything else. */
class HostileTest {
    private val good = TestData.heatmapRefiner.readBytes()
    private val model = ModelFile.read("good.tflite", TestData.direct(good))
    private val json = TrailingZip(TestData.direct(good)).entry("contract.json").let { String(it.bytes) }

    private fun message(bytes: ByteArray): String {
        val error = assertThrows(ClimbEdgeError::class.java) { ModelFile.read("bad.tflite", TestData.direct(bytes)) }
        assertTrue(error.message, error.message!!.startsWith("bad.tflite: ") && ";" in error.message!!)
        return error.message!!
    }

    /** The graph's bytes with another contract behind them, stored or packed. */
    private fun with(contract: String, packed: Boolean = false, graph: ByteBuffer = model.graph): ByteArray {
        val bytes = contract.toByteArray()
        val zip = ByteArrayOutputStream()
        ZipOutputStream(zip).use { out ->
            out.putNextEntry(ZipEntry("contract.json").apply {
                if (!packed) { method = ZipEntry.STORED; size = bytes.size.toLong(); crc = CRC32().apply { update(bytes) }.value }
            })
            out.write(bytes)
        }
        return ByteArray(graph.limit()).also { graph.duplicate().get(it) } + zip.toByteArray()
    }

    @Test fun aContractPackedOrAppendedWithoutMovedOffsetsIsRead() {
        for (packed in listOf(false, true)) assertEquals(model.contract, ModelFile.read("m", TestData.direct(with(json, packed))).contract)
    }

    @Test fun aThousandDamagedFilesAreRefused() {
        val random = Random(5)
        var refused = 0
        repeat(1000) { round ->
            val bad = when (round % 4) {
                0 -> good.copyOf(random.nextInt(good.size)) // truncated
                1 -> good.copyOf().also { it[random.nextInt(it.size)] = random.nextInt().toByte() } // a byte
                2 -> good.copyOf().also { b -> val at = b.size - 1 - random.nextInt(200); b[at] = random.nextInt().toByte() } // in the directory
                else -> good.copyOf().also { b -> val at = random.nextInt(b.size - 64); repeat(64) { b[at + it] = random.nextInt().toByte() } }
            }
            try {
                ModelFile.read("bad.tflite", TestData.direct(bad)) // a byte that became itself, or one that no reader looks at
            } catch (error: ClimbEdgeError) {
                refused++
                assertTrue(error.message, error.message!!.startsWith("bad.tflite: ") && ";" in error.message!!)
            }
        }
        println("refused $refused of 1000")
        assertTrue("$refused", refused > 750)
    }

    @Test fun aContractThatCannotBeMetSaysWhichKey() {
        val changes = mapOf(
            "skeleton" to listOf("\"left_ear\"" to "\"left_eye\""),
            "form" to listOf("\"step\"" to "\"stride\""),
            "emits" to listOf("\"newest\"" to "\"all\""),
            "output" to listOf("\"heatmaps\"," to "\"poems\","),
            "decode" to listOf("\"dark\"" to "\"argmax\""),
            "normalisation" to listOf("\"sum\": 255.0" to "\"sum\": 1.0"),
            "peak" to listOf("\"peak\": 4" to "\"peak\": 4000"),
            "fps" to listOf("\"fps\": 30.0" to "\"fps\": 0.0"),
            "io" to listOf("\"io\": \"float32\"" to "\"io\": \"float64\""),
            "golden" to listOf("\"tolerance\": " to "\"intolerance\": "),
            "checks" to listOf("\"verdict\"" to "\"opinion\""),
        )
        for ((key, change) in changes) {
            val (from, to) = change[0]
            assertTrue(key, from in json)
            val found = message(with(json.replaceFirst(from, to)))
            assertTrue("$key: $found", "asks for $key" in found)
        }
        assertTrue("version" in message(with(json.replaceFirst("\"version\": 3", "\"version\": 4"))))
        assertTrue("damaged" in message(with("[".repeat(100_000))))
        assertTrue("damaged" in message(with(json.dropLast(5))))
        assertTrue("SHA-256" in message(with(json.replace(model.contract.sha256, "0".repeat(64)))))
        assertTrue("TFLite file" in message("no model at all".toByteArray()))
        assertTrue("TFLite file" in message(ByteArray(0)))
    }

    @Test fun aGraphOfGarbageIsRefusedByTheRuntimeWithAReason() {
        val random = Random(9)
        var refused = 0
        repeat(60) {
            val graph = ByteArray(model.graph.limit()).also { model.graph.duplicate().get(it) }
            repeat(40) { graph[8 + random.nextInt(if (it % 2 == 0) 400 else graph.size - 8)] = random.nextInt().toByte() }
            val hash = ModelFile.sha256(ByteBuffer.wrap(graph))
            val file = with(json.replaceFirst(model.contract.sha256, hash), graph = TestData.direct(graph))
            try {
                GraphRefiner.open(ModelFile.read("bad.tflite", TestData.direct(file)), Wish.CPU, Backends(1)).close()
            } catch (error: ClimbEdgeError) {
                refused++
                assertTrue(error.message, error.message!!.startsWith("bad.tflite: "))
            }
        }
        println("garbage graphs refused: $refused of 60")
        assertTrue("$refused", refused > 40)
    }
}
