package climbedge.core.files

import java.nio.ByteBuffer

/** Where models come from: the app's assets, or a folder in a test. Buffers are direct; mapped, where that can be. */
interface Library {
    /** Paths of the refiners. */
    fun refiners(): List<String>

    fun map(path: String): ByteBuffer

    companion object {
        const val DETECTION = "estimator/pose_detection.tflite"
        const val LANDMARKS = "estimator/pose_landmark_lite.tflite"
        const val DEFAULT = "refiners/default.tflite"
    }
}
