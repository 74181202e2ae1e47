dependencyResolutionManagement {
    repositories {
        maven {
            name = "farm"
            url = uri("http://127.0.0.1:8080/maven/")
            setAllowInsecureProtocol(true) // loopback
            mavenContent { releasesOnly() }
        }
        mavenCentral()
    }
}
