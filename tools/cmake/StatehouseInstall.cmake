# Installs the library, its headers, the CMake package that find_package(statehouse) finds, and the one of pkg-config.
# Components: runtime (the shared library), development.
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/statehouse")
install(TARGETS statehouse statehouse_testing EXPORT statehouse-targets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/backend/include/statehouse" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT development)
install(EXPORT statehouse-targets NAMESPACE statehouse:: DESTINATION "${package_directory}" COMPONENT development)

get_target_property(kind statehouse TYPE)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/statehouse-config.cmake.in" statehouse-config.cmake
                              INSTALL_DESTINATION "${package_directory}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(statehouse-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/statehouse-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/statehouse-config-version.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/Findre2.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/StatehouseIdentifier.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/StatehouseMigrations.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/StatehouseMigrationsGenerate.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/StatehouseQueries.cmake"
  DESTINATION "${package_directory}" COMPONENT development)

# A shared library has found its own, for a static one they are linked by whoever links it.
set(requires_private Requires)
if(kind STREQUAL "SHARED_LIBRARY")
  set(requires_private Requires.private)
endif()
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
           OUTPUT_VARIABLE prefix_from_here)
configure_file("${CMAKE_CURRENT_LIST_DIR}/statehouse.pc.in" statehouse.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/statehouse.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  COMPONENT development)
