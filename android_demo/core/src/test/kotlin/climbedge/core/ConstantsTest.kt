package climbedge.core

import climbedge.core.pose.BoxRule
import climbedge.core.pose.Decode
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import climbedge.core.refiners.FilterSpec
import climbedge.core.runtime.Contract
import climbedge.core.streaming.State
import climbedge.core.streaming.Stream
import org.junit.Assert.assertEquals
import org.junit.Test

/** The constants are those that Python publishes; what is a Float here is compared as one. */
class ConstantsTest {
    private val shared = Published.read("constants.json")

    private val own = mapOf(
        "heatmaps" to mapOf("window" to Contract.WINDOW, "size" to Maps.SIZE, "mass" to Maps.MASS, "peak" to Maps.PEAK, "centre" to Maps.CENTRE),
        "decode" to mapOf("floor" to Decode.FLOOR, "least_determinant" to Decode.LEAST_DETERMINANT, "clamp" to Decode.CLAMP),
        "box" to mapOf("grow" to BoxRule.GROW, "outer" to BoxRule.OUTER, "shrunk" to BoxRule.SHRUNK, "least" to BoxRule.LEAST),
        "stream" to mapOf("gap" to Stream.GAP, "rate" to Stream.RATE, "intervals" to Stream.INTERVALS, "stray" to Stream.STRAY, "most_phases" to Stream.MOST_PHASES),
        "golden" to mapOf("steps" to Contract.GOLDEN_STEPS),
        "contract" to mapOf("version" to Contract.VERSION, "forms" to Contract.FORMS, "emits" to Contract.EMITS, "outputs" to Contract.OUTPUTS, "max_state" to Contract.MAX_STATE, "max_tensors" to Contract.MAX_TENSORS),
        "filters" to FilterSpec.DEFAULTS,
        "skeleton" to mapOf("keypoints" to Skeleton.KEYPOINTS, "bones" to Skeleton.BONES.map { listOf(it.first, it.second) }, "from_blazepose33" to Skeleton.FROM_BLAZEPOSE33.toList(), "shown" to Skeleton.SHOWN),
    )

    /** Golden tests are read here and none is made, poses are not mirrored, and files are mapped instead of read whole. */
    private val without = mapOf("golden" to "samples", "skeleton" to "mirror", "contract" to "max_file")

    @Test fun theConstantsAreThoseOfTheFile() {
        assertEquals(shared.keys - "description", own.keys)
        for ((group, constants) in own) same(group, (shared[group] as Map<*, *>) - without[group], constants)
    }

    @Test fun theStatesOfAResultAreThoseOfATrack() {
        val states = Published.schema("track").at("\$defs", "row", "properties", "state", "enum")
        assertEquals(states, State.entries.map { it.words })
    }

    private fun same(named: String, expected: Any?, found: Any?) {
        when (found) {
            is Map<*, *> -> {
                assertEquals(named, (expected as Map<*, *>).keys, found.keys)
                for ((key, value) in found) same("$named.$key", expected[key], value)
            }
            is List<*> -> {
                assertEquals(named, (expected as List<*>).size, found.size)
                found.forEachIndexed { i, value -> same("$named[$i]", expected[i], value) }
            }
            is Float -> assertEquals(named, (expected as Number).toFloat(), found, 0f)
            is Number -> assertEquals(named, (expected as Number).toDouble(), found.toDouble(), 1e-12)
            else -> assertEquals(named, expected, found)
        }
    }
}
