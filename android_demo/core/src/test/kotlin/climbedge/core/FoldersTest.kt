package climbedge.core

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The core's folders import each other in one direction, and nothing of Android or of the app. */
class FoldersTest {
    private val core = File(System.getProperty("root.dir"), "core/src/main/kotlin/climbedge/core")
    private val sources = core.walk().filter { it.extension == "kt" }.associate { it.relativeTo(core).invariantSeparatorsPath to it.readText() }

    @Test fun foldersImportOnlyLowerOnes() {
        for ((path, text) in sources) {
            val folder = path.substringBeforeLast('/', TOP)
            assertTrue("$path: the folder $folder has no place in the order of this test; give it one", FLOORS.any { folder in it })
            assertEquals("$path: its package", if (folder == TOP) "climbedge.core" else "climbedge.core.$folder", PACKAGE.find(text)!!.groupValues[1])
            val lower = FLOORS.takeWhile { folder !in it }.flatten()
            for ((name, other) in NAME.findAll(text.replaceFirst(PACKAGE, "")).map { it.groupValues }) {
                val words = "$path imports $name: $folder may import only itself${lower.joinToString("") { ", $it" }}, so that no folders import each other in a circle; move what both need down"
                assertTrue(words, other.ifEmpty { TOP } in lower + folder)
            }
        }
    }

    @Test fun nothingOfAndroidOrOfTheAppIsImported() {
        assertTrue(sources.size > 20)
        for ((path, text) in sources) {
            val found = OUTSIDE.find(text)?.value?.removePrefix("import ")
            assertTrue("$path names $found: the core runs without Android; put what needs it into the app", found == null)
        }
    }

    private companion object {
        const val TOP = "core"
        val FLOORS = listOf(
            listOf(TOP), listOf("pose", "files", "media"), listOf("runtime"), listOf("estimators", "refiners"), listOf("streaming"), listOf("benchmark"),
        )
        val PACKAGE = Regex("(?m)^package (\\S+)")
        val NAME = Regex("\\bclimbedge\\.core\\.(?:([a-z]\\w*)\\.)?[\\w*]+")
        val OUTSIDE = Regex("(?m)^import android.*|\\bandroid\\.[a-z]+\\.\\w+|\\bclimbedge\\.demo\\b\\S*")
    }
}
