// For Android Studio and Gradle. The build that tests and CI run is pom.xml; both read the same sources.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "climb-edge-demo"
include(":core", ":app")
