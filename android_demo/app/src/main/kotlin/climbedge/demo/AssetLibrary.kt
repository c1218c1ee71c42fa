package climbedge.demo

import android.content.res.AssetManager
import climbedge.core.ClimbEdgeError
import climbedge.core.files.Library
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** The models inside the APK: stored uncompressed there, so that they are mapped into memory and not read. */
class AssetLibrary(private val assets: AssetManager) : Library {
    override fun refiners(): List<String> = assets.list(FOLDER).orEmpty().filter { it.endsWith(".tflite") }.map { "$FOLDER/$it" }

    override fun map(path: String): ByteBuffer = try {
        assets.openFd(path).use { file ->
            file.createInputStream().use { it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength) }
        }
    } catch (error: IOException) {
        throw ClimbEdgeError("$path: expected a stored file inside the app, found none (${error.message}); install the app again", error)
    }

    private companion object {
        const val FOLDER = "refiners"
    }
}
