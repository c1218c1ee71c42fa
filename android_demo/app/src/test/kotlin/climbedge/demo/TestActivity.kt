package climbedge.demo

import climbedge.core.files.Json
import climbedge.core.files.Library
import climbedge.core.media.Picture
import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer

/** The Activity, with the demo clip's frames as Python wrote them: no decoder runs here. Models can be broken. */
class TestActivity : MainActivity() {
    override fun clip(from: From, uri: String?) = Clip { each ->
        val folder = File(System.getProperty("golden.dir"), "chain")
        val about = Json.parse(File(folder, "chain.json").readText()) as Map<*, *>
        val (width, height) = (about["width"] as Long).toInt() to (about["height"] as Long).toInt()
        RandomAccessFile(File(folder, "frames.rgb"), "r").use { file ->
            val rgb = ByteArray(width * height * 3)
            for (time in about["times"] as List<*>) {
                file.readFully(rgb)
                val pixels = IntArray(width * height) { i -> (0..2).fold(255) { argb, c -> (argb shl 8) or (rgb[3 * i + c].toInt() and 255) } }
                if (!each(Picture(width, height, pixels), (time as Number).toDouble(), 0.5)) return@use
            }
        }
    }

    override fun library(): Library {
        val real = super.library()
        return object : Library by real {
            override fun map(path: String): ByteBuffer {
                val good = real.map(path)
                if (path !in broken) return good
                val bytes = ByteArray(good.limit()).also { good.duplicate().get(it) }
                bytes[bytes.size / 2]++
                return ByteBuffer.allocateDirect(bytes.size).apply { put(bytes); rewind() }
            }
        }
    }

    companion object {
        /** Paths whose bytes are damaged. */
        val broken = HashSet<String>()
    }
}
