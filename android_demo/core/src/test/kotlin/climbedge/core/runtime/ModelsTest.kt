package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import climbedge.core.SoftwareGl
import climbedge.core.TestData
import climbedge.core.Vectors
import climbedge.core.apart
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.experimental.categories.Category

/** Every model gives what Python's runtime gives, on the runtime that goes into the APK. */
class ModelsTest {
    private val vectors = Vectors("models")

    private fun golden(model: ModelFile, session: Session): Pair<Double, Double> {
        val found = Golden.outputs(session, model.contract).flatMap { it.toList() }.toFloatArray()
        val expected = vectors.floats(model.name)
        return apart(expected, found) to expected.maxOf { Math.abs(it) }.toDouble()
    }

    @Test fun everyModelOnTheCpu() {
        assertEquals(vectors.index["models"], vectors.index["models"].let { list -> (list as List<*>).filter { name -> TestData.models().any { it.name == name } } })
        for (file in TestData.models()) {
            val model = TestData.model(file)
            val (session, log) = TestData.logged { TfLiteSession.open(file.name, model.graph, Backend.CPU, 2) }
            session.use {
                val started = System.nanoTime()
                val (apart, scale) = golden(model, it)
                val ms = (System.nanoTime() - started) / 1e6 / Contract.GOLDEN_STEPS
                val taken = Regex("Replacing (\\d+) out of (\\d+) node.*XNNPack").find(log)?.groupValues
                println("${file.name}: ${apart / scale} of the scale, $ms ms a run, XNNPACK took ${taken?.drop(1)}")
                assertTrue("${file.name}: ${apart / scale} of the scale", apart <= model.contract.golden.tolerance * scale)
                assertNull(file.name, Golden.refusal(it, model.contract))
                assertTrue("${file.name}: XNNPACK is off; log: $log", taken != null && taken[1].toInt() > 0)
            }
        }
    }

    @Test fun theEstimatorRunsOnXnnpack() {
        for (name in listOf("pose_detection", "pose_landmark_lite")) {
            val file = File(TestData.assets, "estimator/$name.tflite")
            val (session, log) = TestData.logged { TestData.session(file) }
            session.use { assertTrue(log, Regex("Replacing \\d+ out of \\d+ node.*XNNPack").containsMatchIn(log)) }
        }
    }

    /**
     * Software OpenGL takes a second a run: every kind of graph once, and 16-bit arithmetic on the convolutions.
     * The convolutions must be taken, and what is taken must be right; what the delegate refuses is refused in words.
     */
    @Category(SoftwareGl::class)
    @Test fun everyKindOfModelOnTheGpu() {
        val kinds = TestData.models().filter { file -> ".float16." in file.name && "centre" !in file.name || file.name == "default.tflite" }
        assertTrue("$kinds", kinds.size >= 3)
        for (file in kinds) for (backend in if ("conv3d" in file.name) listOf(Backend.GPU, Backend.GPU_FAST) else listOf(Backend.GPU)) {
            val model = TestData.model(file)
            val session = try {
                TfLiteSession.open(file.name, model.graph, backend, 1)
            } catch (error: ClimbEdgeError) {
                println("${file.name}, ${backend.label}: refused (no share of the scale): ${error.message!!.replace('\n', ' ')}")
                assertTrue(error.message, "conv3d" !in model.contract.model)
                continue
            }
            session.use {
                val (apart, scale) = golden(model, it)
                println("${file.name}, ${backend.label}: ${apart / scale} of the scale, ${model.contract.golden.tolerance} allowed")
                if (backend == Backend.GPU) assertTrue("${file.name}: ${apart / scale} of the scale", apart <= model.contract.golden.tolerance * scale)
            }
        }
    }

    @Category(SoftwareGl::class)
    @Test fun theEstimatorOnTheGpu() {
        for (name in listOf("pose_detection", "pose_landmark_lite")) {
            val file = File(TestData.assets, "estimator/$name.tflite")
            val backends = Backends(1, listed = { true })
            backends.choose(name, TestData.mapped(file), Wish.GPU) { s -> SelfCheck.refusal(s) { TestData.session(file) } }.use {
                println("$name: ${it.backend}, ${it.reason}")
                assertEquals(name, Backend.GPU, it.backend)
            }
        }
    }
}
