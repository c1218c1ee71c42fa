package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import climbedge.core.Published
import climbedge.core.at
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The contract is that of the published schema: its keys, its values, and what it requires. */
class ContractSchemaTest {
    private val schema = Published.schema("contract")
    private val read = mutableSetOf<String>()

    private val good = mapOf(
        "version" to Contract.VERSION, "model" to "conv3d", "form" to "step", "emits" to "newest", "output" to "heatmaps",
        "skeleton" to Skeleton.KEYPOINTS, "state" to listOf(mapOf("name" to "past", "shape" to listOf(1L, 56L, 56L, 50L))),
        "inputs" to listOf(listOf(1L, 56L, 56L, 25L), listOf(1L, 56L, 56L, 50L)),
        "outputs" to listOf(listOf(1L, 56L, 56L, 25L), listOf(1L, 56L, 56L, 50L)), "io" to "float32",
        "normalisation" to mapOf("sum" to 255.0, "negatives" to 0L), "decode" to "dark", "peak" to 40.5, "fps" to 30.0,
        "golden" to mapOf("tolerance" to 0.001, "scale" to 1.0, "samples" to listOf(listOf(7L, 3L, 0.5))),
        "checks" to mapOf("verdict" to "pass"), "sha256" to "0".repeat(64),
    )

    /** [map], telling of every key that is asked of it or inside it; all of them must stand in the schema. */
    private inner class Watched(private val map: Map<String, Any?>, private val described: Map<*, *>) : AbstractMap<String, Any?>() {
        override val entries get() = map.entries

        override fun containsKey(key: String): Boolean = heard(key).let { key in map }

        override fun get(key: String): Any? = watched(map[key], heard(key))

        private fun heard(key: String): Map<*, *> {
            read += key
            val keys = described["properties"] as? Map<*, *>
            assertTrue("ContractReader reads $key, which contract.schema.json does not have there", keys != null && key in keys)
            return keys!![key] as Map<*, *>
        }
    }

    @Suppress("UNCHECKED_CAST")
    private fun watched(value: Any?, described: Map<*, *>): Any? = when (value) {
        is Map<*, *> -> Watched(value as Map<String, Any?>, described)
        is List<*> -> value.map { watched(it, described["items"] as? Map<*, *> ?: emptyMap<String, Any>()) }
        else -> value
    }

    private fun contract(json: Map<String, Any?>) = ContractReader("m", json).read()

    @Test fun everyKeyThatIsReadIsAKeyOfTheSchema() {
        contract(Watched(good, schema))
        contract(Watched(good - "state" + mapOf("state" to emptyList<Any>(), "form" to "window", "emits" to "centre", "peaks" to true,
            "inputs" to listOf(listOf(1L, 56L, 56L, 125L), listOf(1L, 1L, 5L, 25L)), "outputs" to listOf(listOf(1L, 56L, 56L, 25L))), schema))
        val known = listOf("form", "emits", "output", "sum", "negatives", "name", "shape", "peaks", "io", "verdict", "reasons", "peak", "fps", "tolerance", "samples", "runtime", "sha256")
        assertEquals(emptyList<String>(), known.filter { it !in read })
    }

    @Test fun versionFormsEmissionsOutputsAndTypesAreTheSchemas() {
        fun listed(key: String) = schema.at("properties", key, "enum")
        assertEquals(Contract.VERSION, schema.at("properties", "version", "const"))
        assertEquals(Contract.FORMS.keys.toList(), listed("form"))
        assertEquals(Contract.EMITS.keys.toList(), listed("emits"))
        assertEquals(Contract.OUTPUTS, listed("output"))
        assertEquals(Contract.IO, listed("io"))
        val ofStep = ((schema["allOf"] as List<*>)[0] as Map<*, *>).at("then", "properties", "emits", "enum")
        assertEquals(Contract.FORMS["step"], ofStep)
        assertEquals(Maps.MASS, (schema.at("properties", "normalisation", "properties", "sum", "const") as Number).toDouble(), 0.0)
        assertEquals(Contract.WINDOW.toLong(), schema.at("properties", "window", "const"))
        assertEquals(Contract.GOLDEN_STEPS.toLong(), schema.at("properties", "golden", "properties", "steps", "const"))
    }

    @Test fun whatTheSchemaRequiresIsRequiredHere() {
        contract(good)
        // null where it is absent; the file's reader looks at version and hash before
        val others = setOf("fps", "version", "sha256")
        for (key in (schema["required"] as List<*>).filter { it !in others }) {
            assertThrows(key.toString(), ClimbEdgeError::class.java) { contract(good - key.toString()) }
        }
    }

    @Test fun valuesThatTheSchemaDoesNotListAreRefused() {
        for (key in listOf("form", "emits", "output", "io", "decode")) {
            val error = assertThrows(ClimbEdgeError::class.java) { contract(good + (key to "another")) }
            assertTrue(error.message, "asks for $key = another" in error.message!!)
        }
    }
}
