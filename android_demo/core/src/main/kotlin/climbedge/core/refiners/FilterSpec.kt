package climbedge.core.refiners

import climbedge.core.ClimbEdgeError

/** The text that names a filter, as "gaussian:sigma=2,emits=newest": every parameter once, the rest by default. */
class FilterSpec private constructor(val name: String, private val parameters: Map<String, Double>, val emits: String) {
    /** The whole text, defaults written out. */
    val text = "$name:" + parameters.entries.joinToString(",") { (k, v) -> "$k=${if (k in WHOLE) v.toInt().toString() else v.toString()}" } + ",emits=$emits"

    fun filter(): Filter {
        fun whole(key: String) = parameters.getValue(key).toInt()
        return when (name) {
            "mean" -> Filter.mean(whole("reach"))
            "median" -> Filter.median(whole("reach"))
            "gaussian" -> Filter.gaussian(whole("reach"), parameters.getValue("sigma"))
            "savitzky_golay" -> Filter.savitzkyGolay(whole("reach"), whole("order"))
            else -> OneEuro(parameters.getValue("min_cutoff"), parameters.getValue("beta"), parameters.getValue("d_cutoff"))
        }
    }

    companion object {
        /** reach, sigma: frames; cutoffs: Hz; beta: Hz per (side of the box / second). */
        val DEFAULTS = mapOf(
            "mean" to mapOf("reach" to 1.0),
            "median" to mapOf("reach" to 1.0),
            "gaussian" to mapOf("reach" to 3.0, "sigma" to 1.0),
            "savitzky_golay" to mapOf("reach" to 2.0, "order" to 2.0),
            "one_euro" to mapOf("min_cutoff" to 0.05, "beta" to 80.0, "d_cutoff" to 1.0),
        )
        private val WHOLE = setOf("reach", "order")
        private val FROM_ZERO = setOf("order", "beta")
        val NAMES: Set<String> = DEFAULTS.keys

        fun parse(text: String): FilterSpec {
            val name = text.substringBefore(':').trim()
            val defaults = DEFAULTS[name] ?: throw ClimbEdgeError("filter '$text': expected one of ${NAMES.joinToString()}; choose one of them")
            val given = text.substringAfter(':', "").split(',').filter(String::isNotBlank).map {
                val sides = it.split('=').map(String::trim)
                if (sides.size != 2) throw ClimbEdgeError("filter '$text': expected parameter=value, found '$it'; correct it")
                sides[0] to sides[1]
            }
            if (given.distinctBy { it.first }.size < given.size) throw ClimbEdgeError("filter '$text': expected each parameter once; remove one")
            val values = given.filter { it.first != "emits" }.associate { (key, value) ->
                if (key !in defaults) throw ClimbEdgeError("filter '$text': expected one of ${defaults.keys.joinToString()}, found $key; correct it")
                key to number(text, key, value)
            }
            val emits = given.firstOrNull { it.first == "emits" }?.second ?: if (name == "one_euro") "newest" else "centre"
            val known = if (name == "one_euro") listOf("newest") else listOf("newest", "centre")
            if (emits !in known) throw ClimbEdgeError("filter '$text': expected emits=${known.joinToString(" or ")}, found $emits; correct it")
            val all = defaults + values
            if (name == "savitzky_golay" && all.getValue("order") > 2 * all.getValue("reach")) {
                throw ClimbEdgeError("filter '$text': expected an order of at most 2 reach, found a higher one; lower it")
            }
            return FilterSpec(name, all, emits)
        }

        private fun number(text: String, key: String, value: String): Double {
            val number = value.toDoubleOrNull() ?: Double.NaN
            val least = number > 0 || (number == 0.0 && key in FROM_ZERO)
            if (!number.isFinite() || !least || (key in WHOLE && number % 1 != 0.0)) {
                throw ClimbEdgeError("filter '$text': expected a ${if (key in WHOLE) "whole " else ""}number ${if (key in FROM_ZERO) ">= 0" else "> 0"} as $key, found '$value'; correct it")
            }
            return number
        }
    }
}
