package climbedge.core.files

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

/** One entry of a ZIP archive at the end of another file, read from a mapped buffer without copying what is in front of it. */
class TrailingZip(content: ByteBuffer) {
    private val data: ByteBuffer = content.duplicate().order(ByteOrder.LITTLE_ENDIAN)

    /** Its bytes, and where in the file its header begins. */
    class Entry(val bytes: ByteArray, val start: Int)

    /** Throws IllegalArgumentException that says why there is none, or why it is damaged. */
    fun entry(name: String): Entry {
        val end = end()
        val size = data.getInt(end + 12)
        val directory = end - size
        require(size >= 0 && directory >= 0) { "its ZIP directory lies outside the file" }
        val shift = directory - data.getInt(end + 16) // archives may be appended without their offsets being moved
        var at = directory
        repeat(data.getShort(end + 10).toInt() and 0xffff) {
            inside(at, 46, end)
            require(data.getInt(at) == CENTRAL) { "its ZIP directory is damaged" }
            val length = short(at + 28)
            inside(at + 46, length, end)
            if (text(at + 46, length) == name) return read(at, shift, directory)
            at += 46 + length + short(at + 30) + short(at + 32)
        }
        throw IllegalArgumentException("there is no $name in its ZIP directory")
    }

    private fun read(at: Int, shift: Int, limit: Int): Entry {
        val (crc, packed, size) = Triple(data.getInt(at + 16), data.getInt(at + 20), data.getInt(at + 24))
        val start = data.getInt(at + 42) + shift
        inside(start, 30, limit)
        require(data.getInt(start) == LOCAL) { "its ZIP entry is damaged" }
        require(size in 0..data.limit()) { "its ZIP entry claims $size bytes, more than the file holds" }
        val from = start + 30 + short(start + 26) + short(start + 28)
        inside(from, packed, limit)
        val stored = ByteArray(packed).also { data.duplicate().apply { position(from) }.get(it) }
        val bytes = when (short(at + 10)) {
            0 -> stored
            8 -> inflate(stored, size)
            else -> throw IllegalArgumentException("its ZIP entry is packed in an unknown way")
        }
        require(bytes.size == size && CRC32().apply { update(bytes) }.value.toInt() == crc) { "its ZIP entry is damaged" }
        return Entry(bytes, start)
    }

    private fun inflate(stored: ByteArray, size: Int): ByteArray {
        val inflater = Inflater(true)
        try {
            inflater.setInput(stored)
            val bytes = ByteArray(size)
            require(inflater.inflate(bytes) == size) { "its ZIP entry is truncated" }
            return bytes
        } catch (error: DataFormatException) {
            throw IllegalArgumentException("its ZIP entry is damaged", error)
        } finally {
            inflater.end()
        }
    }

    /** Where the end record stands: the last one whose comment reaches just to the end of the file. */
    private fun end(): Int {
        var at = data.limit() - 22
        while (at >= 0 && at >= data.limit() - 22 - 0xffff) {
            if (data.getInt(at) == END && short(at + 20) == data.limit() - at - 22) return at
            at--
        }
        throw IllegalArgumentException("there is no ZIP archive at its end")
    }

    private fun inside(at: Int, length: Int, limit: Int) =
        require(at >= 0 && length >= 0 && at.toLong() + length <= limit) { "its ZIP directory points outside the file" }

    private fun short(at: Int): Int = data.getShort(at).toInt() and 0xffff

    private fun text(at: Int, length: Int): String =
        String(ByteArray(length).also { data.duplicate().apply { position(at) }.get(it) }, Charsets.UTF_8)

    private companion object {
        const val END = 0x06054b50
        const val CENTRAL = 0x02014b50
        const val LOCAL = 0x04034b50
    }
}
