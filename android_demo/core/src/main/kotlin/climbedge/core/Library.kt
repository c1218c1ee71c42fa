package climbedge.core

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

/** What the user chose: a refiner's path, a filter's text or [OFF], and where to run. */
data class Choice(val model: String, val wish: Wish) {
    companion object {
        const val OFF = "identity"

        /** All that can be chosen as a model; the first is what the app opens on, the default refiner where there is one. */
        fun models(library: Library): List<String> =
            library.refiners().sortedWith(compareBy({ it != Library.DEFAULT }, { it })) + FilterSpec.NAMES + OFF
    }
}
