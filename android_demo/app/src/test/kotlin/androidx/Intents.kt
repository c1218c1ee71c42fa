package androidx.test.runner.intent

import android.app.Instrumentation
import android.content.Intent

fun interface IntentCallback {
    fun onIntentSent(intent: Intent)
}

interface IntentMonitor {
    fun addIntentCallback(callback: IntentCallback)

    fun removeIntentCallback(callback: IntentCallback)
}

fun interface IntentStubber {
    fun getActivityResultForIntent(intent: Intent): Instrumentation.ActivityResult
}

object IntentMonitorRegistry {
    private var registered: IntentMonitor? = null

    @JvmStatic fun getInstance(): IntentMonitor = registered!!

    @JvmStatic fun registerInstance(monitor: IntentMonitor?) { registered = monitor }
}

object IntentStubberRegistry {
    @JvmStatic fun isLoaded() = false

    @JvmStatic fun getInstance(): IntentStubber = error("nobody stubs intents here")
}
