# Installs the library, its headers and the CMake package that find_package(statehouse) finds.
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/statehouse")
install(TARGETS statehouse EXPORT statehouse-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/backend/include/statehouse" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT statehouse-targets NAMESPACE statehouse:: DESTINATION "${package_directory}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/statehouse-config.cmake.in" statehouse-config.cmake
                              INSTALL_DESTINATION "${package_directory}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(statehouse-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/statehouse-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/statehouse-config-version.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/Findre2.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/StatehouseMigrations.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/StatehouseMigrationsGenerate.cmake"
  DESTINATION "${package_directory}")
