// Robolectric links against androidx.test, which Maven Central does not have. These stand-ins keep what is registered, and no
// more: nobody in these tests listens to them.
package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

object InstrumentationRegistry {
    private var registered: Instrumentation? = null
    private var given: Bundle? = null

    @JvmStatic fun getInstrumentation(): Instrumentation = registered!!

    @JvmStatic fun getArguments(): Bundle = Bundle(given!!)

    /** Null where a test has ended. */
    @JvmStatic fun registerInstance(instrumentation: Instrumentation?, arguments: Bundle?) {
        registered = instrumentation
        given = arguments
    }
}
