plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

val java = JavaVersion.toVersion(libs.versions.java.get())

android {
    namespace = "climbedge.demo"
    compileSdk = libs.versions.target.sdk.get().toInt()
    defaultConfig {
        applicationId = "climbedge.demo"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles("../tools/apk/rules.pro")
            signingConfig = signingConfigs["debug"]
        }
    }
    androidResources { noCompress += listOf("tflite", "mp4") }
    compileOptions {
        sourceCompatibility = java
        targetCompatibility = java
    }
    sourceSets["main"].assets.srcDir("../build/assets") // made by `make android-assets`, from the models of this project
    sourceSets["test"].kotlin.setSrcDirs(emptyList<String>())
}

kotlin { compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.fromTarget(libs.versions.java.get())) } }

dependencies { implementation(project(":core")) }
