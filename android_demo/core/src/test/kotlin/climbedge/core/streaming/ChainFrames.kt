package climbedge.core.streaming

import climbedge.core.TestData
import climbedge.core.Vectors
import climbedge.core.files.Json
import climbedge.core.files.Library
import climbedge.core.media.Frame
import climbedge.core.media.Picture
import java.io.File
import java.io.RandomAccessFile

/** The demo clip's first frames as Python read them, and the app's models from the folder that goes into the APK. */
object ChainFrames {
    val folder = File(TestData.golden, "chain")
    val about = Json.parse(File(folder, "chain.json").readText()) as Map<*, *>
    private val width = (about["width"] as Long).toInt()
    private val height = (about["height"] as Long).toInt()

    fun all() = sequence {
        RandomAccessFile(File(folder, "frames.rgb"), "r").use { file ->
            val rgb = ByteArray(width * height * 3)
            Vectors.doubles(about["times"]).forEachIndexed { index, time ->
                file.readFully(rgb)
                yield(Frame(index, time, Picture(width, height, IntArray(width * height) { Vectors.packed(rgb, 3 * it) })))
            }
        }
    }

    object Assets : Library {
        override fun refiners() = listOf("refiners/default.tflite")

        override fun map(path: String) = TestData.mapped(File(TestData.assets, path))
    }
}
