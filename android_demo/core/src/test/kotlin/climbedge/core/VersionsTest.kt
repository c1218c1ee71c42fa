package climbedge.core

import climbedge.core.runtime.TfLiteSession
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Gradle and Maven build with the same versions. */
class VersionsTest {
    private val root = File(System.getProperty("root.dir"))

    @Test fun gradleHasTheVersionsOfMaven() {
        val pom = root.resolve("pom.xml").readText()
        val toml = root.resolve("gradle/libs.versions.toml").readText()
        val names = mapOf("kotlin" to "kotlin.version", "tflite" to "tflite.version", "tflite-gpu-api" to "tflite.gpu.api.version", "min-sdk" to "min.sdk", "target-sdk" to "target.sdk", "java" to "java.version")
        for ((gradle, maven) in names) {
            val expected = Regex("<$maven>(.*?)</$maven>").find(pom)!!.groupValues[1]
            assertEquals(gradle, expected, Regex("(?m)^$gradle = \"(.*)\"").find(toml)!!.groupValues[1])
        }
        assertTrue(TfLiteSession.RUNTIME.endsWith(Regex("<tflite.version>(.*?)<").find(pom)!!.groupValues[1]))
    }
}
