package climbedge.demo

import android.Manifest
import android.content.ComponentCallbacks2
import android.content.Context
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.os.Bundle
import android.os.Looper
import android.view.View
import android.widget.Spinner
import android.widget.TextView
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowCameraCharacteristics

/** The app itself: real resources, real models mapped from the APK's assets, real inferences, drawn by Android's own renderer. */
@RunWith(AppRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [34], qualifiers = PORTRAIT)
class MainActivityTest {
    @After fun mend() = TestActivity.broken.clear()

    private fun launch(saved: Bundle? = null): ActivityController<TestActivity> =
        Robolectric.buildActivity(TestActivity::class.java).let { if (saved == null) it.setup() else it.setup(saved) }

    private fun words(activity: MainActivity) = activity.findViewById<TextView>(R.id.figures).text.toString()

    private fun waitFor(activity: MainActivity, what: String, met: (String) -> Boolean) {
        val end = System.nanoTime() + 90_000_000_000
        while (!met(words(activity))) {
            assertTrue("waited for $what, found: ${words(activity)}", System.nanoTime() < end)
            Thread.sleep(20)
            shadowOf(Looper.getMainLooper()).idle()
        }
    }

    /** The whole window as a PNG, as large as the screen. */
    private fun shot(activity: MainActivity, name: String): Bitmap {
        val (w, h) = activity.resources.displayMetrics.let { it.widthPixels to it.heightPixels }
        val root = activity.window.decorView
        root.measure(View.MeasureSpec.makeMeasureSpec(w, View.MeasureSpec.EXACTLY), View.MeasureSpec.makeMeasureSpec(h, View.MeasureSpec.EXACTLY))
        root.layout(0, 0, w, h)
        val bitmap = Bitmap.createBitmap(w, h, Bitmap.Config.ARGB_8888)
        root.draw(Canvas(bitmap))
        File(System.getProperty("shots.dir")).apply { mkdirs() }.resolve("$name.png").outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return bitmap
    }

    private fun count(bitmap: Bitmap, colour: Int): Int {
        val pixels = IntArray(bitmap.width * bitmap.height).also { bitmap.getPixels(it, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height) }
        return pixels.count { it == colour }
    }

    private fun looks(name: String, dark: Boolean) = launch().use { controller ->
        val activity = controller.get()
        waitFor(activity, "refined frames") { "refine" in it }
        lateinit var bitmap: Bitmap
        waitFor(activity, "both sides of a body") { // now and then nobody is found in this clip
            bitmap = shot(activity, name)
            count(bitmap, Color.rgb(255, 170, 40)) > 50 && count(bitmap, Color.rgb(60, 190, 255)) > 50
        }
        val corner = bitmap.getPixel(bitmap.width - 2, bitmap.height - 2)
        assertEquals("background", dark, Color.luminance(corner) < 0.5)
        assertTrue(words(activity), "XNNPACK" in words(activity))
    }

    @Test fun showsRealFramesInPortrait() = looks("portrait", dark = false)

    @Test @Config(qualifiers = "w800dp-h360dp-land-mdpi") fun inLandscape() = looks("landscape", dark = false)

    @Test @Config(qualifiers = "w360dp-h760dp-port-night-mdpi") fun inTheDark() = looks("night", dark = true)

    @Test fun choicesSurviveRotationAndTheDeathOfTheProcess() {
        val saved = Bundle()
        launch().use { controller ->
            controller.get().findViewById<Spinner>(R.id.backend).setSelection(2)
            controller.get().findViewById<Spinner>(R.id.model).setSelection(1)
            shadowOf(Looper.getMainLooper()).idle()
            RuntimeEnvironment.setQualifiers("+land")
            controller.configurationChange(controller.get().resources.configuration)
            assertEquals(2, controller.get().findViewById<Spinner>(R.id.backend).selectedItemPosition)
            waitFor(controller.get(), "frames after rotation") { "mean" in it }
            controller.saveInstanceState(saved)
        }
        launch(saved).use { controller ->
            assertEquals(1, controller.get().findViewById<Spinner>(R.id.model).selectedItemPosition)
            waitFor(controller.get(), "frames after a new start") { "mean" in it }
        }
    }

    @Test fun aRefusedCameraIsSaidAndTheDemoStillRuns() {
        val about = ShadowCameraCharacteristics.newCameraCharacteristics()
        Shadow.extract<ShadowCameraCharacteristics>(about).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK)
        shadowOf(RuntimeEnvironment.getApplication().getSystemService(Context.CAMERA_SERVICE) as CameraManager).addCamera("0", about)
        launch().use { controller ->
            val activity = controller.get()
            assertEquals(From.BACK.ordinal, activity.findViewById<Spinner>(R.id.source).selectedItemPosition)
            activity.onRequestPermissionsResult(1, arrayOf(Manifest.permission.CAMERA), intArrayOf(PackageManager.PERMISSION_DENIED))
            assertEquals(activity.getString(R.string.refused), words(activity))
            activity.findViewById<Spinner>(R.id.source).setSelection(From.DEMO.ordinal)
            waitFor(activity, "the demo clip") { "fps" in it }
        }
    }

    @Test fun withoutACameraTheDemoClipPlaysAndTheChoiceIsExplained() = launch().use { controller ->
        val activity = controller.get()
        assertEquals(From.DEMO.ordinal, activity.findViewById<Spinner>(R.id.source).selectedItemPosition)
        activity.findViewById<Spinner>(R.id.source).setSelection(From.FRONT.ordinal)
        waitFor(activity, "the reason") { it == activity.getString(R.string.no_camera) }
    }

    @Test fun aBrokenModelIsNamedAndAnotherOneRuns() {
        TestActivity.broken += "refiners/default.tflite"
        launch().use { controller ->
            val activity = controller.get()
            waitFor(activity, "the reason") { "refiners/default.tflite" in it && "SHA-256" in it }
            shot(activity, "broken")
            activity.findViewById<Spinner>(R.id.model).setSelection(1)
            waitFor(activity, "the other model") { "fps" in it }
        }
    }

    @Test fun aBrokenEstimatorIsNamed() {
        TestActivity.broken += "estimator/pose_landmark_lite.tflite"
        launch().use { controller -> waitFor(controller.get(), "frames or a reason") { "Problem" in it || "fps" in it } }
    }

    @Test fun theBackgroundAndLowMemoryCostNothingButTheFrame() = launch().use { controller ->
        val activity = controller.get()
        waitFor(activity, "frames") { "fps" in it }
        controller.pause().stop()
        val before = words(activity)
        val end = System.nanoTime() + 30_000_000_000
        while (Thread.getAllStackTraces().keys.any { it.name == "inference" || it.name == "clip" }) {
            assertTrue("threads end in the background", System.nanoTime() < end)
            Thread.sleep(20)
        }
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals("nothing is shown in the background", before, words(activity))
        controller.restart().start().resume()
        waitFor(activity, "frames again") { "fps" in it && it != before }
        activity.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL)
        val now = words(activity)
        waitFor(activity, "frames after low memory") { it != now }
        assertNotEquals(before, words(activity))
    }
}

private const val PORTRAIT = "w360dp-h760dp-port-mdpi"
