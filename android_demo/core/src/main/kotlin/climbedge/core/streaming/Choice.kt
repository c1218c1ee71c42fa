package climbedge.core.streaming

import climbedge.core.files.Library
import climbedge.core.refiners.FilterSpec
import climbedge.core.runtime.Wish

/** What the user chose: a refiner's path, a filter's text or [OFF], and where to run. */
data class Choice(val model: String, val wish: Wish) {
    companion object {
        const val OFF = "identity"

        /** All that can be chosen as a model; the first is what the app opens on, the default refiner where there is one. */
        fun models(library: Library): List<String> =
            library.refiners().sortedWith(compareBy({ it != Library.DEFAULT }, { it })) + FilterSpec.NAMES + OFF
    }
}
