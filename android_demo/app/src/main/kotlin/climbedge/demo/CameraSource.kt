package climbedge.demo

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import climbedge.core.media.Frame

/**
 * A camera, by camera2: YUV buffers, the newest only, stamped by the sensor. Everything of it happens on one thread of its
 * own. [display] tells how the screen is turned now.
 */
class CameraSource(context: Context, private val front: Boolean, private val sink: Sink, private val display: () -> Int) : Source {
    private val manager = context.getSystemService(Context.CAMERA_SERVICE) as CameraManager
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private var reader: ImageReader? = null
    private var device: CameraDevice? = null
    private var closed = false
    private var sensor = 0
    private var count = 0

    init {
        handler.post(::open)
    }

    @SuppressLint("MissingPermission") // the Activity asks before it makes one of these
    private fun open() = guarded {
        val id = find(manager, front) ?: return@guarded sink.failed("no such camera")
        val about = manager.getCameraCharacteristics(id)
        sensor = about.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        val sizes = about.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)!!.getOutputSizes(ImageFormat.YUV_420_888)
        val size = sizes.minByOrNull { Math.abs(it.width * it.height - PIXELS) }!!
        reader = ImageReader.newInstance(size.width, size.height, ImageFormat.YUV_420_888, BUFFERS).apply {
            setOnImageAvailableListener(::take, handler)
        }
        manager.openCamera(id, opened, handler)
    }

    private val opened = object : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (closed) return camera.close()
            device = camera
            @Suppress("DEPRECATION") // its successor came with Android 9
            guarded { camera.createCaptureSession(listOf(reader!!.surface), configured, handler) }
        }

        override fun onDisconnected(camera: CameraDevice) = lost(camera, "it was taken by another app")

        override fun onError(camera: CameraDevice, error: Int) = lost(camera, "error $error")
    }

    private val configured = object : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) = guarded {
            val request = session.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply {
                addTarget(reader!!.surface)
                set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_VIDEO)
            }
            session.setRepeatingRequest(request.build(), null, handler)
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = sink.failed("it refuses this size")
    }

    private fun take(from: ImageReader) {
        val image = from.acquireLatestImage() ?: return
        val started = System.nanoTime()
        val frame = image.use { // upright, but not mirrored: in a mirror left is right, and the overlay mirrors what it draws
            Frame(count++, it.timestamp / 1e9, ImageYuv.of(it).picture(Turn.degrees(sensor, display(), front), mirrored = false))
        }
        sink.frame(frame, (System.nanoTime() - started) / 1e6)
    }

    private fun lost(camera: CameraDevice, why: String) {
        camera.close()
        device = null
        if (!closed) sink.failed(why)
    }

    private fun guarded(block: () -> Unit) {
        try {
            if (!closed) block()
        } catch (error: CameraAccessException) {
            sink.failed(error.message ?: "it cannot be opened")
        } catch (error: RuntimeException) { // also what a permission taken away gives
            sink.failed(error.message ?: error.toString())
        }
    }

    override fun close() {
        handler.post {
            closed = true
            device?.close()
            reader?.close()
            thread.quitSafely()
        }
        thread.join()
    }

    companion object {
        private const val PIXELS = 640 * 480 // enough for a crop of 256
        private const val BUFFERS = 3

        /** The first camera that looks this way, or null; an external one looks no way. */
        fun find(manager: CameraManager, front: Boolean): String? = manager.cameraIdList.firstOrNull {
            val facing = manager.getCameraCharacteristics(it).get(CameraCharacteristics.LENS_FACING)
            facing == if (front) CameraCharacteristics.LENS_FACING_FRONT else CameraCharacteristics.LENS_FACING_BACK
        }
    }
}
