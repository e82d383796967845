# Installs the library, its headers, the CMake package that find_package(statehouse) finds, the tool with a systemd timer for
# its backups, and where libdqlite is the node with its unit.
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/statehouse")
install(TARGETS statehouse statehouse_testing EXPORT statehouse-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
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

# A systemd unit of a program: its path is known when it is installed, as cmake --install may be given another prefix.
function(statehouse_install_unit template)
  cmake_path(GET template STEM LAST_ONLY unit)
  install(CODE "set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    configure_file(\"${PROJECT_SOURCE_DIR}/${template}\" \"${CMAKE_CURRENT_BINARY_DIR}/${unit}\" @ONLY)")
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${unit}" DESTINATION lib/systemd/system)
endfunction()

if(TARGET statehouse-cli)
  install(TARGETS statehouse-cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  statehouse_install_unit(tools/cli/statehouse-backup@.service.in)
  install(FILES "${PROJECT_SOURCE_DIR}/tools/cli/statehouse-backup@.timer" DESTINATION lib/systemd/system)
  # The program makes its completion scripts and its manual pages itself.
  set(manual "${CMAKE_CURRENT_BINARY_DIR}/manual")
  install(CODE "file(REMOVE_RECURSE \"${manual}\")
    execute_process(COMMAND \"$<TARGET_FILE:statehouse-cli>\" man \"${manual}\" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)")
  install(DIRECTORY "${manual}/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  set(completions "${CMAKE_CURRENT_BINARY_DIR}/completions")
  file(MAKE_DIRECTORY "${completions}")
  foreach(completion bash-completion/completions/statehouse:bash zsh/site-functions/_statehouse:zsh
          fish/vendor_completions.d/statehouse.fish:fish)
    string(REGEX MATCH "(.*)/(.*):(.*)" completion "${completion}")
    install(CODE "execute_process(COMMAND \"$<TARGET_FILE:statehouse-cli>\" completion ${CMAKE_MATCH_3}
                                  OUTPUT_FILE \"${completions}/${CMAKE_MATCH_2}\" COMMAND_ERROR_IS_FATAL ANY)")
    install(FILES "${completions}/${CMAKE_MATCH_2}" DESTINATION "${CMAKE_INSTALL_DATADIR}/${CMAKE_MATCH_1}")
  endforeach()
endif()

if(TARGET statehouse-node)
  install(TARGETS statehouse-node RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  statehouse_install_unit(tools/node/statehouse-node.service.in)
endif()
