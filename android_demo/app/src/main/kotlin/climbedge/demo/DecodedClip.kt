package climbedge.demo

import android.media.MediaCodec
import android.media.MediaExtractor
import android.media.MediaFormat
import climbedge.core.media.Colours
import climbedge.core.media.Picture
import java.io.IOException

/** A film by the phone's own decoder; [open] points an extractor at it. */
class DecodedClip(private val open: (MediaExtractor) -> Unit) : Clip {
    override fun play(each: (Picture, Double, Double) -> Boolean) {
        val extractor = MediaExtractor()
        var decoder: MediaCodec? = null
        try {
            open(extractor)
            val track = (0 until extractor.trackCount).firstOrNull { mime(extractor, it).startsWith("video/") } ?: throw IOException("it has no video track")
            extractor.selectTrack(track)
            val format = extractor.getTrackFormat(track)
            val degrees = if (format.containsKey(MediaFormat.KEY_ROTATION)) format.getInteger(MediaFormat.KEY_ROTATION) else 0
            decoder = MediaCodec.createDecoderByType(mime(extractor, track)).apply { configure(format, null, null, 0); start() }
            decode(extractor, decoder, degrees, each)
        } finally {
            decoder?.release()
            extractor.release()
        }
    }

    private fun mime(extractor: MediaExtractor, track: Int) = extractor.getTrackFormat(track).getString(MediaFormat.KEY_MIME).orEmpty()

    private fun decode(extractor: MediaExtractor, decoder: MediaCodec, degrees: Int, each: (Picture, Double, Double) -> Boolean) {
        val info = MediaCodec.BufferInfo()
        var fed = false
        while (true) {
            val started = System.nanoTime()
            if (!fed) fed = feed(extractor, decoder)
            val index = decoder.dequeueOutputBuffer(info, WAIT)
            if (index < 0) continue
            val picture = decoder.getOutputImage(index)?.use { ImageYuv.of(it).picture(degrees, false, colours(decoder)) }
            decoder.releaseOutputBuffer(index, false)
            if (picture != null && !each(picture, info.presentationTimeUs / 1e6, (System.nanoTime() - started) / 1e6)) return
            if (info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0) return
        }
    }

    /** Gives the decoder what it has room for; true when that was the end. */
    private fun feed(extractor: MediaExtractor, decoder: MediaCodec): Boolean {
        val index = decoder.dequeueInputBuffer(WAIT)
        if (index < 0) return false
        val size = extractor.readSampleData(decoder.getInputBuffer(index)!!, 0)
        if (size < 0) {
            decoder.queueInputBuffer(index, 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
            return true
        }
        decoder.queueInputBuffer(index, 0, size, extractor.sampleTime, 0)
        extractor.advance()
        return false
    }

    private fun colours(decoder: MediaCodec): Colours = ImageYuv.colours(decoder.outputFormat)

    private companion object {
        const val WAIT = 10_000L // microseconds
    }
}
