# Debian packages of what the preset `package` builds: libstatehouse0.2 with the shared library, libstatehouse-dev, and
# statehouse-tools. The maintainer is who makes them, as DEBFULLNAME and DEBEMAIL in the environment say when it is configured.
set(here "${CMAKE_CURRENT_LIST_DIR}")
set(library_package "libstatehouse${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set(same_version "${library_package} (= ${PROJECT_VERSION})")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
set(CPACK_PACKAGING_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}")
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS "${here}/needed.cmake" "${here}/compress.cmake")
set(CPACK_COMPONENTS_ALL runtime development tools)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${CMAKE_CURRENT_BINARY_DIR}/backend")

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "asynchronous service state for Boost.Asio servers, on SQLite")
set(about "Named SQLite databases that open, migrate and pool themselves on first use,
awaited with co_await and never blocking the io_context.

")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME "${library_package}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${here}/triggers")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "${about}This is the shared library.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libstatehouse-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${same_version}, libboost-dev (>= 1.83) | libboost1.83-dev, libre2-dev, \
libspdlog-dev, libsqlite3-dev (>= 3.40), libsqlitecpp-dev, libssl-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "${about}These are its headers, and what CMake and pkg-config need to find it.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME statehouse-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION database)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "${same_version}")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "${about}This is the program statehouse, which migrates, checks, backs up and
restores such databases, a systemd timer for backups, and the node of a
cluster.")

# What every package of Debian has.
string(TIMESTAMP CHANGED "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file("${here}/changelog.in" changelog @ONLY)
execute_process(COMMAND gzip -9nc changelog WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}"
                OUTPUT_FILE changelog.gz COMMAND_ERROR_IS_FATAL ANY)
file(READ "${PROJECT_SOURCE_DIR}/LICENSE" LICENSE)
configure_file("${here}/copyright.in" copyright @ONLY)
foreach(component IN ITEMS RUNTIME DEVELOPMENT TOOLS)
  string(TOLOWER ${component} lower)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/changelog.gz" "${CMAKE_CURRENT_BINARY_DIR}/copyright"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${component}_PACKAGE_NAME}" COMPONENT ${lower})
endforeach()
# CPack writes scripts that call ldconfig beside the trigger. They do no harm.
file(CONFIGURE OUTPUT overrides CONTENT "${library_package}: maintscript-calls-ldconfig *\n")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/overrides" DESTINATION "${CMAKE_INSTALL_DATADIR}/lintian/overrides"
  RENAME "${library_package}" COMPONENT runtime)

include(CPack)
