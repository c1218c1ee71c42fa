package climbedge.core.streaming

import climbedge.core.StageClock
import climbedge.core.TestData
import climbedge.core.Vectors
import climbedge.core.estimators.BlazePose
import climbedge.core.estimators.Region
import climbedge.core.refiners.GraphRefiner
import climbedge.core.refiners.Refiner
import climbedge.core.refiners.Smoother
import climbedge.core.runtime.Backends
import climbedge.core.runtime.Wish
import java.io.File
import kotlin.math.abs
import kotlin.math.hypot
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * The whole chain on a real clip, frame by frame, beside Python's `track`. After every frame the region to look at next is
 * compared, and Python's is taken: a difference of a millionth would come back as another level of single pixels, and on
 * this clip the estimator answers that with other keypoints (tools/golden/chain.py).
 */
class ChainTest {
    private val regions = (ChainFrames.about["regions"] as List<*>).map { frame -> (frame as List<*>).map(Vectors::doubles) }

    private fun refiner(name: String, clock: StageClock): Refiner = when (name) {
        "default" -> GraphRefiner.open(TestData.model(File(TestData.assets, "refiners/default.tflite")), Wish.CPU, Backends(1), clock)
        else -> Smoother(name)
    }

    @Test fun sameKeypointsAndStatesAsPython() {
        (ChainFrames.about["refiners"] as List<*>).forEachIndexed { number, name ->
            val clock = StageClock()
            var strayed = 0.0
            refiner(name as String, clock).use { refiner ->
                TestData.lite(clock).use { estimator ->
                    val stream = Stream(estimator, refiner, clock = clock)
                    val laps = ArrayList<Map<String, Double>>()
                    val results = ChainFrames.all().flatMap { frame ->
                        stream.push(frame).also {
                            laps.add(clock.lap())
                            strayed = maxOf(strayed, follow(estimator, frame.index))
                        }
                    }.toList() + stream.flush()
                    val worst = TrackRows.compare(name, TrackRows.read(File(ChainFrames.folder, "$number/track.jsonl")), results)
                    val medians = laps.flatMap { it.keys }.distinct().associateWith { s -> "%.1f".format(Stats.percentile(laps.mapNotNull { it[s] }, 50.0)) }
                    println("$name: raw ${worst.raw} px, refined ${worst.refined} px, regions $strayed px, over ${worst.rows} rows, ${worst.states}; median ms $medians")
                    assertTrue("$name: raw ${worst.raw} px", worst.raw <= 0.5)
                    assertTrue("$name: refined ${worst.refined} px", worst.refined <= 0.5)
                }
            }
        }
    }

    /** How far the regions are from Python's, in pixels; from here on they are Python's. */
    private fun follow(estimator: BlazePose, frame: Int): Double {
        val found = estimator.regions
        assertEquals("frame $frame: persons", regions[frame].size, found.size)
        estimator.regions = regions[frame].map { (x, y, side, angle) -> Region(x, y, side, angle) }
        val apart = found.zip(regions[frame]).maxOfOrNull { (r, p) ->
            maxOf(hypot(r.x - p[0], r.y - p[1]), abs(r.side - p[2]), abs(r.angle - p[3]) * p[2])
        } ?: 0.0
        assertTrue("frame $frame: the region is $apart px away", apart < 0.05)
        return apart
    }
}
