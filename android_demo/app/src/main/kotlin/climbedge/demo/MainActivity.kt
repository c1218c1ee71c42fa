package climbedge.demo

import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.media.MediaExtractor
import android.net.Uri
import android.os.Bundle
import android.view.Display
import android.view.Surface
import climbedge.core.files.Library
import climbedge.core.media.Frame
import climbedge.core.runtime.Wish
import climbedge.core.streaming.Choice
import climbedge.core.streaming.Engine
import climbedge.core.streaming.Shown
import java.io.File

/**
 * The one screen: a source of frames, the engine that looks at them, and the view that shows both. What holds a camera or an
 * interpreter lives from start to stop only.
 */
open class MainActivity : Activity(), Sink, Panel.Listener {
    private lateinit var overlay: OverlayView
    private lateinit var panel: Panel
    private lateinit var settings: Settings
    private var engine: Engine? = null
    private var source: Source? = null
    private var asking = false

    protected open fun library(): Library = AssetLibrary(assets)

    protected open fun clip(from: From, uri: String?): Clip = DecodedClip { extractor: MediaExtractor ->
        if (from == From.PHONE && uri != null) extractor.setDataSource(this, Uri.parse(uri), null)
        else assets.openFd(DEMO).use { extractor.setDataSource(it.fileDescriptor, it.startOffset, it.length) }
    }

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(R.layout.main)
        overlay = findViewById(R.id.overlay)
        val models = Choice.models(library())
        val first = Settings(if (hasCamera(front = false)) From.BACK else From.DEMO, null, models[0], Wish.AUTO, Look.BOTH, true)
        settings = Settings.restore(saved, first).let { if (it.model in models) it else it.copy(model = models[0]) }
        panel = Panel(this, models, settings, this)
        draw(settings)
    }

    override fun onStart() {
        super.onStart()
        val show = { shown: Shown -> runOnUiThread { if (source != null) show(shown) } }
        val fail = { words: String -> runOnUiThread { panel.say(getString(R.string.problem, words)) } }
        engine = Engine(library(), threads(), show, fail).also { it.use(settings.choice) }
        openSource()
    }

    override fun onStop() {
        closeSource()
        engine?.close()
        engine = null
        super.onStop()
    }

    override fun onSaveInstanceState(out: Bundle) {
        super.onSaveInstanceState(out)
        settings.save(out)
    }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= TRIM_MEMORY_RUNNING_CRITICAL && ::overlay.isInitialized) overlay.forget()
    }

    override fun chosen(now: Settings) {
        val before = settings
        if (now.from == From.PHONE && before.from != From.PHONE) return pick()
        settings = now
        draw(now)
        if (now.choice != before.choice) engine?.use(now.choice)
        if (now.from != before.from) openSource()
    }

    override fun benchmark() {
        closeSource()
        source = BenchmarkRun(
            library(), clip(if (settings.from == From.PHONE) From.PHONE else From.DEMO, settings.clip), getExternalFilesDir(null) ?: filesDir, threads(), FRAMES,
            said = { runOnUiThread { panel.say(getString(R.string.benchmark_running, it)) } }, done = { runOnUiThread { share(it) } },
        )
    }

    override fun frame(frame: Frame, captureMs: Double) { engine?.look(frame, captureMs) }

    override fun awaitTaken() { engine?.awaitTaken() }

    override fun failed(words: String) = runOnUiThread {
        panel.say(getString(if (source is CameraSource) R.string.camera_failed else R.string.clip_failed, words))
    }

    private fun show(shown: Shown) {
        overlay.show(shown)
        panel.show(shown.status, overlay.drawMs)
    }

    private fun draw(by: Settings) {
        overlay.look = by.look
        overlay.trails = by.trails
        overlay.mirrored = by.from == From.FRONT
        overlay.invalidate()
    }

    private fun openSource() {
        closeSource()
        engine?.cut()
        source = when (settings.from) {
            From.DEMO, From.PHONE -> ClipSource(clip(settings.from, settings.clip), this)
            else -> camera(settings.from == From.FRONT)
        }
    }

    private fun closeSource() {
        source?.close()
        source = null
        overlay.forget()
    }

    private fun camera(front: Boolean): Source? {
        if (!hasCamera(front)) {
            panel.say(getString(R.string.no_camera))
            return null
        }
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) return CameraSource(this, front, this, ::turned)
        if (!asking) requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK)
        asking = true
        return null
    }

    override fun onRequestPermissionsResult(code: Int, permissions: Array<String>, results: IntArray) {
        super.onRequestPermissionsResult(code, permissions, results)
        if (code != ASK || results.isEmpty()) return
        if (results[0] == PackageManager.PERMISSION_GRANTED) openSource() else panel.say(getString(R.string.refused))
    }

    private fun hasCamera(front: Boolean): Boolean = try {
        CameraSource.find(getSystemService(Context.CAMERA_SERVICE) as CameraManager, front) != null
    } catch (error: CameraAccessException) {
        false
    }

    /** How the screen is turned now, in degrees. */
    private fun turned(): Int {
        val display = (getSystemService(Context.DISPLAY_SERVICE) as DisplayManager).getDisplay(Display.DEFAULT_DISPLAY)
        return when (display?.rotation) {
            Surface.ROTATION_90 -> 90
            Surface.ROTATION_180 -> 180
            Surface.ROTATION_270 -> 270
            else -> 0
        }
    }

    private fun pick() {
        startActivityForResult(Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("video/*"), PICK)
    }

    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        if (request != PICK) return
        val uri = data?.data
        if (result == RESULT_OK && uri != null) {
            settings = settings.copy(from = From.PHONE, clip = uri.toString())
            draw(settings)
            if (engine != null) openSource()
        }
        panel.set(settings)
    }

    private fun share(csv: File) {
        panel.say(getString(R.string.benchmark_done, csv.path))
        val send = Intent(Intent.ACTION_SEND).setType("text/csv").putExtra(Intent.EXTRA_TEXT, csv.readText())
        startActivity(Intent.createChooser(send, getString(R.string.benchmark_share)))
        openSource()
    }

    private fun threads() = Runtime.getRuntime().availableProcessors().coerceIn(1, MOST_THREADS)

    private companion object {
        const val DEMO = "demo.mp4"
        const val ASK = 1
        const val PICK = 2
        const val FRAMES = 60 // of a benchmark, for each model and backend
        const val MOST_THREADS = 4
    }
}
