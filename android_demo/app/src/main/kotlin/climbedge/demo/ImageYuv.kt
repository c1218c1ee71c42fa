package climbedge.demo

import android.media.Image
import android.media.MediaFormat
import climbedge.core.media.Colours
import climbedge.core.media.Plane
import climbedge.core.media.Yuv

/** Android's YUV_420_888 buffers, from a camera or a decoder, as the core reads them: no copy. */
object ImageYuv {
    fun of(image: Image): Yuv {
        val crop = image.cropRect
        val (y, u, v) = image.planes.mapIndexed { i, plane ->
            val shift = if (i == 0) 1 else 2 // chroma has half the places
            val from = crop.top / shift * plane.rowStride + crop.left / shift * plane.pixelStride
            Plane(plane.buffer.duplicate().apply { position(from) }.slice(), plane.rowStride, plane.pixelStride)
        }
        return Yuv(crop.width(), crop.height(), y, u, v)
    }

    /** What a decoder says of its colours; most videos say nothing and mean BT.601 or BT.709 of a part of the range. */
    fun colours(format: MediaFormat): Colours {
        fun value(key: String) = if (format.containsKey(key)) format.getInteger(key) else 0
        return when {
            value(MediaFormat.KEY_COLOR_RANGE) == MediaFormat.COLOR_RANGE_FULL -> Colours.FULL_601
            value(MediaFormat.KEY_COLOR_STANDARD) == MediaFormat.COLOR_STANDARD_BT709 -> Colours.VIDEO_709
            else -> Colours.VIDEO_601
        }
    }
}
