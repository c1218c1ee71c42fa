package climbedge.core.runtime

import org.tensorflow.lite.gpu.CompatibilityList

/** The runtime's own list of devices whose GPU it knows. */
object GpuList {
    /** False also where the library or a driver under it is missing. */
    fun knows(): Boolean = try {
        CompatibilityList().use { it.isDelegateSupportedOnThisDevice }
    } catch (error: LinkageError) {
        false
    } catch (error: RuntimeException) {
        false
    }
}
