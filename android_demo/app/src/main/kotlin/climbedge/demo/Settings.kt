package climbedge.demo

import android.os.Bundle
import climbedge.core.runtime.Wish
import climbedge.core.streaming.Choice

/** Where pictures come from, in the order of the list on the screen. */
enum class From { BACK, FRONT, DEMO, PHONE }

/** All that the user chose; survives rotation and the death of the process. */
data class Settings(val from: From, val clip: String?, val model: String, val wish: Wish, val look: Look, val trails: Boolean) {
    val choice get() = Choice(model, wish)

    fun save(to: Bundle) {
        to.putStringArray(KEY, arrayOf(from.name, clip, model, wish.name, look.name, trails.toString()))
    }

    companion object {
        private const val KEY = "settings"

        /** What was saved, else the [first] choices: the camera, where there is one. */
        fun restore(from: Bundle?, first: Settings): Settings {
            val saved = from?.getStringArray(KEY) ?: return first
            return Settings(From.valueOf(saved[0]), saved[1], saved[2], Wish.valueOf(saved[3]), Look.valueOf(saved[4]), saved[5].toBoolean())
        }
    }
}
