package climbedge.core

import climbedge.core.files.Json
import java.io.File

/** The schemas and constants that Python publishes, read from the checkout. */
object Published {
    private val folder = File(System.getProperty("root.dir"), "../climb_edge/schemas")

    fun schema(name: String): Map<*, *> = read("$name.schema.json")

    fun read(file: String): Map<*, *> = Json.parse(File(folder, file).readText()) as Map<*, *>
}

/** What lies at these keys, one inside the other. */
fun Map<*, *>.at(vararg keys: String): Any? = keys.fold(this as Any?) { value, key ->
    val map = value as Map<*, *>
    check(key in map) { "expected the key $key of ${keys.toList()}, found ${map.keys}" }
    map[key]
}
