plugins {
    alias(libs.plugins.android.library) // not plain JVM: TFLite's artifacts are AARs
    alias(libs.plugins.kotlin.android)
}

val java = JavaVersion.toVersion(libs.versions.java.get())

android {
    namespace = "climbedge.core"
    compileSdk = libs.versions.target.sdk.get().toInt()
    defaultConfig { minSdk = libs.versions.min.sdk.get().toInt() }
    compileOptions {
        sourceCompatibility = java
        targetCompatibility = java
    }
    sourceSets["test"].kotlin.setSrcDirs(emptyList<String>()) // they need the host libraries that the Maven build makes
}

kotlin { compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.fromTarget(libs.versions.java.get())) } }

dependencies {
    // Newer phones with 16 KB pages: LiteRT (com.google.ai.edge.litert:litert and litert-gpu, from Google's Maven) has the
    // same classes in libraries aligned for them; exchange the three lines.
    api(libs.tflite)
    api(libs.tflite.gpu)
    api(libs.tflite.gpu.api) // GpuDelegate needs GpuDelegateFactory.Options, and its own POM does not say so
}
