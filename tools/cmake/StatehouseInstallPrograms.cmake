# Installs the tool with a systemd timer for its backups, and where libdqlite is the node with its unit: component tools.

# A systemd unit of a program: its path is known when it is installed, as cmake --install may be given another prefix.
function(statehouse_install_unit template)
  cmake_path(GET template STEM LAST_ONLY unit)
  install(CODE "set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    configure_file(\"${PROJECT_SOURCE_DIR}/${template}\" \"${CMAKE_CURRENT_BINARY_DIR}/${unit}\" @ONLY)" COMPONENT tools)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${unit}" DESTINATION lib/systemd/system COMPONENT tools)
endfunction()

if(TARGET statehouse-cli)
  install(TARGETS statehouse-cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
  statehouse_install_unit(tools/cli/statehouse-backup@.service.in)
  install(FILES "${PROJECT_SOURCE_DIR}/tools/cli/statehouse-backup@.timer" DESTINATION lib/systemd/system COMPONENT tools)
  # The program makes its completion scripts and its manual pages itself.
  set(manual "${CMAKE_CURRENT_BINARY_DIR}/manual")
  install(CODE "file(REMOVE_RECURSE \"${manual}\")
    execute_process(COMMAND \"$<TARGET_FILE:statehouse-cli>\" man \"${manual}\" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)" COMPONENT tools)
  install(DIRECTORY "${manual}/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT tools)
  set(completions "${CMAKE_CURRENT_BINARY_DIR}/completions")
  file(MAKE_DIRECTORY "${completions}")
  foreach(completion bash-completion/completions/statehouse:bash zsh/site-functions/_statehouse:zsh
          fish/vendor_completions.d/statehouse.fish:fish)
    string(REGEX MATCH "(.*)/(.*):(.*)" completion "${completion}")
    install(CODE "execute_process(COMMAND \"$<TARGET_FILE:statehouse-cli>\" completion ${CMAKE_MATCH_3}
                                  OUTPUT_FILE \"${completions}/${CMAKE_MATCH_2}\" COMMAND_ERROR_IS_FATAL ANY)" COMPONENT tools)
    install(FILES "${completions}/${CMAKE_MATCH_2}" DESTINATION "${CMAKE_INSTALL_DATADIR}/${CMAKE_MATCH_1}" COMPONENT tools)
  endforeach()
endif()

if(TARGET statehouse-node)
  install(TARGETS statehouse-node RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
  statehouse_install_unit(tools/node/statehouse-node.service.in)
  install(FILES "${PROJECT_SOURCE_DIR}/tools/node/statehouse-node.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT tools)
endif()
