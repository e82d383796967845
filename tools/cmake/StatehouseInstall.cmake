# Installs the library, its headers, the CMake package that find_package(statehouse) finds, the tool, and where libdqlite
# is the node with its systemd unit.
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

if(TARGET statehouse-cli)
  install(TARGETS statehouse-cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
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
  # The program's path is known when it is installed: cmake --install may be given another prefix.
  install(CODE "set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    configure_file(\"${PROJECT_SOURCE_DIR}/tools/node/statehouse-node.service.in\"
                   \"${CMAKE_CURRENT_BINARY_DIR}/statehouse-node.service\" @ONLY)")
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/statehouse-node.service" DESTINATION lib/systemd/system)
endif()
