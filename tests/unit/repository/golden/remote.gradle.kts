dependencyResolutionManagement {
    repositories {
        maven {
            name = "farm"
            url = uri("https://packages.example.org/farm/maven/")
            mavenContent { releasesOnly() }
        }
        mavenCentral()
    }
}
