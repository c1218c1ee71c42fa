package climbedge.demo

import android.app.Activity
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner
import android.widget.Switch
import android.widget.TextView
import climbedge.core.runtime.Wish
import climbedge.core.streaming.Choice
import climbedge.core.streaming.Stats
import climbedge.core.streaming.Status

/** The choices on the screen, and the figures above them. */
class Panel(private val activity: Activity, private val models: List<String>, private var settings: Settings, private val listener: Listener) {
    interface Listener {
        fun chosen(now: Settings)

        fun benchmark()
    }

    private val figures: TextView = activity.findViewById(R.id.figures)
    private val source: Spinner = activity.findViewById(R.id.source)
    private val model: Spinner = activity.findViewById(R.id.model)
    private val backend: Spinner = activity.findViewById(R.id.backend)
    private val view: Spinner = activity.findViewById(R.id.view)
    @Suppress("UseSwitchCompatOrMaterialCode") // platform widgets only
    private val trails: Switch = activity.findViewById(R.id.trails)
    private var last = 0L

    init {
        model.adapter = ArrayAdapter(activity, android.R.layout.simple_spinner_dropdown_item, models.map(::title))
        set(settings)
        on(source) { settings.copy(from = From.entries[it]) }
        on(model) { settings.copy(model = models[it]) }
        on(backend) { settings.copy(wish = Wish.entries[it]) }
        on(view) { settings.copy(look = Look.entries[it]) }
        trails.setOnCheckedChangeListener { _, checked -> choose(settings.copy(trails = checked)) }
        activity.findViewById<Button>(R.id.benchmark).setOnClickListener { listener.benchmark() }
    }

    /** Shows these choices, without telling the listener. */
    fun set(now: Settings) {
        settings = now
        source.setSelection(now.from.ordinal)
        model.setSelection(models.indexOf(now.model))
        backend.setSelection(now.wish.ordinal)
        view.setSelection(now.look.ordinal)
        trails.isChecked = now.trails
    }

    fun say(words: String) {
        figures.text = words
        last = System.nanoTime()
    }

    /** Figures of the newest frame, twice a second at most: they are to be read. */
    fun show(status: Status, drawMs: Double) {
        if (System.nanoTime() - last < PAUSE) return
        last = System.nanoTime()
        val rows = (status.stages + Stats.Row("draw", drawMs, drawMs)).joinToString("\n") { activity.getString(R.string.stage, it.stage, it.median, it.p95) }
        val table = activity.getString(R.string.stage_title) + "\n" + rows
        figures.text = activity.getString(R.string.summary, status.fps, status.dropped, title(status.model), "${status.backend} (${status.reason})", table)
    }

    private fun title(model: String): String = if (model == Choice.OFF) activity.getString(R.string.off) else model.substringAfterLast('/').removeSuffix(".tflite")

    private fun on(spinner: Spinner, changed: (Int) -> Settings) {
        spinner.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(parent: AdapterView<*>, item: View?, position: Int, id: Long) = choose(changed(position))

            override fun onNothingSelected(parent: AdapterView<*>) = Unit
        }
    }

    private fun choose(now: Settings) {
        if (now == settings) return
        settings = now
        listener.chosen(now)
    }

    private companion object {
        const val PAUSE = 500_000_000L // nanoseconds
    }
}
