package climbedge.demo

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Matrix
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import climbedge.core.pose.Skeleton
import climbedge.core.streaming.Result
import climbedge.core.streaming.Shown

/** Which keypoints are drawn, in the order of the list on the screen. */
enum class Look { BOTH, RAW, REFINED }

/** A frame with the skeletons that belong to it: the estimator's thin and pale, the refined ones strong. */
class OverlayView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    var look = Look.BOTH
    var trails = true

    /** A front camera is shown as a mirror. */
    var mirrored = false

    /** Milliseconds that the last frame took to draw. */
    var drawMs = 0.0
        private set

    private val paint = Paint(Paint.ANTI_ALIAS_FLAG or Paint.FILTER_BITMAP_FLAG).apply { strokeCap = Paint.Cap.ROUND }
    private val place = Matrix()
    private val points = FloatArray(2 * Skeleton.K)
    private val trail = Trails()
    private var bitmap: Bitmap? = null
    private var results = listOf<Result>()

    fun show(shown: Shown) {
        val picture = shown.frame.picture
        val current = bitmap?.takeIf { it.width == picture.width && it.height == picture.height }
            ?: Bitmap.createBitmap(picture.width, picture.height, Bitmap.Config.ARGB_8888).also { bitmap = it; trail.clear() }
        current.setPixels(picture.pixels, 0, picture.width, 0, 0, picture.width, picture.height)
        results = shown.results.filter { it.person != null }
        trail.add(results)
        invalidate()
    }

    /** Another source: nothing of before is shown. */
    fun forget() {
        bitmap = null
        results = emptyList()
        trail.clear()
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val frame = bitmap ?: return
        val started = System.nanoTime()
        fit(frame)
        canvas.drawBitmap(frame, place, paint)
        val unit = minOf(width, height) / 300f
        if (trails) for (path in trail.paths()) line(canvas, path, unit)
        for (result in results) {
            if (look != Look.REFINED) skeleton(canvas, result.raw!!, unit, PALE, PALE)
            if (look != Look.RAW) skeleton(canvas, result.refined!!, 2 * unit, LEFT, RIGHT)
        }
        drawMs = (System.nanoTime() - started) / 1e6
    }

    /** The whole picture in the middle, as large as it can be. */
    private fun fit(frame: Bitmap) {
        val scale = minOf(width.toFloat() / frame.width, height.toFloat() / frame.height)
        place.setScale(if (mirrored) -scale else scale, scale)
        val left = (width - scale * frame.width) / 2
        place.postTranslate(if (mirrored) width - left else left, (height - scale * frame.height) / 2)
    }

    private fun skeleton(canvas: Canvas, keypoints: FloatArray, thick: Float, left: Int, right: Int) {
        for (k in 0 until Skeleton.K) {
            points[2 * k] = keypoints[3 * k]
            points[2 * k + 1] = keypoints[3 * k + 1]
        }
        place.mapPoints(points)
        fun sure(k: Int) = keypoints[3 * k + 2] >= Skeleton.SHOWN
        fun side(k: Int) = if (Skeleton.KEYPOINTS[k].startsWith("left")) left else if (Skeleton.KEYPOINTS[k].startsWith("right")) right else Color.WHITE
        for ((a, b) in Skeleton.BONES) {
            paint.color = side(b)
            paint.strokeWidth = if (sure(a) && sure(b)) thick else thick / 3
            canvas.drawLine(points[2 * a], points[2 * a + 1], points[2 * b], points[2 * b + 1], paint)
        }
        for (k in 0 until Skeleton.K) if (sure(k)) {
            paint.color = side(k)
            canvas.drawCircle(points[2 * k], points[2 * k + 1], thick, paint)
        }
    }

    private fun line(canvas: Canvas, path: FloatArray, thick: Float) {
        val mapped = path.copyOf()
        place.mapPoints(mapped)
        paint.color = TRAIL
        paint.strokeWidth = thick
        for (i in 0 until mapped.size - 2 step 2) canvas.drawLine(mapped[i], mapped[i + 1], mapped[i + 2], mapped[i + 3], paint)
    }

    private companion object {
        val LEFT = Color.rgb(255, 170, 40)
        val RIGHT = Color.rgb(60, 190, 255)
        val PALE = Color.argb(190, 255, 120, 160)
        val TRAIL = Color.argb(150, 255, 255, 255)
    }
}
