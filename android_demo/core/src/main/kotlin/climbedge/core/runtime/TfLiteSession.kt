package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory

/** What a graph can run on. */
enum class Backend(val label: String) {
    GPU("GPU"),
    GPU_FAST("GPU, 16-bit"), // the delegate's precision loss is allowed
    CPU("CPU, XNNPACK"),
}

/** A graph on TFLite's interpreter: the only place that talks to the runtime. */
class TfLiteSession private constructor(private val interpreter: Interpreter, private val delegate: Delegate?, override val backend: String) : Session {
    private val entering = List(interpreter.inputTensorCount) { Port(interpreter.getInputTensor(it)) }
    private val leaving = List(interpreter.outputTensorCount) { Port(interpreter.getOutputTensor(it)) }
    override val inputs = entering.map { it.shape }
    override val outputs = leaving.map { it.shape }
    override val io = (entering + leaving).map { it.type }.distinct().joinToString(" and ")

    override fun run(vararg arrays: FloatArray): List<FloatArray> {
        require(arrays.size == entering.size) { "expected ${entering.size} arrays, found ${arrays.size}" }
        entering.zip(arrays) { port, array -> port.put(array) }
        leaving.forEach { it.buffer.rewind() }
        interpreter.runForMultipleInputsOutputs(entering.map { it.buffer }.toTypedArray(), leaving.indices.associateWith { leaving[it].buffer })
        return leaving.map { it.get() }
    }

    override fun close() {
        interpreter.close() // before the delegate, which it still uses
        (delegate as? AutoCloseable)?.close()
    }

    /** One tensor's way in or out: floats, or bytes of its own scale and zero point. */
    private class Port(tensor: Tensor) {
        val shape = tensor.shape().toList()
        val type = if (tensor.dataType() == DataType.INT8) "int8" else tensor.dataType().name.lowercase()
        private val scale = tensor.quantizationParams().scale
        private val zero = tensor.quantizationParams().zeroPoint
        private val size = shape.fold(1, Int::times)
        val buffer: ByteBuffer = ByteBuffer.allocateDirect(tensor.numBytes()).order(ByteOrder.nativeOrder())

        fun put(values: FloatArray) {
            require(values.size == size) { "expected $size values of shape $shape, found ${values.size}" }
            buffer.rewind()
            if (type == "int8") {
                for (v in values) buffer.put((Math.rint((v / scale).toDouble()) + zero).coerceIn(-128.0, 127.0).toInt().toByte())
                buffer.rewind()
            } else {
                buffer.asFloatBuffer().put(values)
            }
        }

        fun get(): FloatArray {
            buffer.rewind()
            if (type == "int8") return FloatArray(size) { (buffer.get() - zero) * scale }
            return FloatArray(size).also { buffer.asFloatBuffer().get(it) }
        }
    }

    companion object {
        const val RUNTIME = "tensorflow-lite 2.16.1"

        /**
         * [graph] is a direct buffer in native order. Throws ClimbEdgeError for what the runtime refuses; a missing driver
         * may throw a LinkageError.
         */
        fun open(name: String, graph: ByteBuffer, backend: Backend, threads: Int): TfLiteSession {
            ModelFile.checkTflite(name, graph)
            val delegate = if (backend == Backend.CPU) null else gpu(backend == Backend.GPU_FAST)
            val options = Interpreter.Options().setNumThreads(threads).setUseXNNPACK(backend == Backend.CPU)
            delegate?.let(options::addDelegate)
            var interpreter: Interpreter? = null
            try {
                interpreter = Interpreter(graph.duplicate().order(ByteOrder.nativeOrder()).apply { rewind() }, options)
                interpreter.allocateTensors()
                val words = if (delegate == null) "${backend.label}, $threads thread${if (threads > 1) "s" else ""}" else backend.label
                return TfLiteSession(interpreter, delegate, words)
            } catch (error: Throwable) {
                interpreter?.close()
                (delegate as? AutoCloseable)?.close()
                if (error is Error) throw error
                throw ClimbEdgeError("$name: the TFLite runtime refuses this graph (${error.message?.trim()}); convert it again", error)
            }
        }

        private fun gpu(fast: Boolean): Delegate = GpuDelegate(GpuDelegateFactory.Options().apply { setPrecisionLossAllowed(fast) })
    }
}
