# statehouse_embed_queries(<target> DATABASE <name> MIGRATIONS <directory> QUERIES <file>)
#
# Makes a C++ function of each query in a file, after it has fitted the database that the migrations make:
#
#   #include <statehouse/queries/context.hpp>
#   auto block = co_await statehouse::queries::context::get_block(pool, document, name);
#
# Relative paths are relative to the calling CMakeLists.txt. A query that does not fit is an error of the build, with its
# file, line and column. A changed file of queries, and a new, changed or deleted migration, are checked again. Header and
# namespace are called as those of statehouse_embed_migrations. <target> links statehouse::statehouse itself; with a
# library as <target>, whoever links it can include the header too.
#
# It is done by the program `statehouse`: that of the installed package, else it is built. Where that cannot run on the
# machine that builds, or is not there, STATEHOUSE_TOOL names one that can.
include("${CMAKE_CURRENT_LIST_DIR}/StatehouseIdentifier.cmake")
set(STATEHOUSE_TOOL "" CACHE FILEPATH "The program statehouse of the machine that builds, if another one is to check queries")
mark_as_advanced(STATEHOUSE_TOOL)

function(statehouse_embed_queries target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DATABASE;MIGRATIONS;QUERIES" "")
  set(call "statehouse_embed_queries(${target})")
  if(NOT TARGET ${target})
    message(FATAL_ERROR "${call}: there is no such target; create it first.")
  elseif(NOT "${arg_UNPARSED_ARGUMENTS}" STREQUAL "")
    message(FATAL_ERROR "${call}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  statehouse_identifier("${call}" "${arg_DATABASE}" identifier)
  cmake_path(ABSOLUTE_PATH arg_MIGRATIONS BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE OUTPUT_VARIABLE directory)
  if("${arg_MIGRATIONS}" STREQUAL "" OR NOT IS_DIRECTORY "${directory}")
    message(FATAL_ERROR "${call}: MIGRATIONS '${arg_MIGRATIONS}' is no directory (looked at ${directory}).")
  endif()
  cmake_path(ABSOLUTE_PATH arg_QUERIES BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE OUTPUT_VARIABLE queries)
  if("${arg_QUERIES}" STREQUAL "" OR NOT EXISTS "${queries}" OR IS_DIRECTORY "${queries}")
    message(FATAL_ERROR "${call}: QUERIES '${arg_QUERIES}' is no file (looked at ${queries}).")
  endif()

  get_target_property(embedded ${target} statehouse_embedded_queries)
  if(identifier IN_LIST embedded)
    message(FATAL_ERROR "${call}: statehouse::queries::${identifier} is in this target already.")
  endif()
  set_property(TARGET ${target} APPEND PROPERTY statehouse_embedded_queries ${identifier})

  # The list is a dependency of its own: it changes when a file goes, or when one comes that is older than the header.
  file(GLOB files LIST_DIRECTORIES false CONFIGURE_DEPENDS "${directory}/*.sql")
  set(root "${CMAKE_CURRENT_BINARY_DIR}/statehouse_queries/${target}")
  set(header "${root}/statehouse/queries/${identifier}.hpp")
  set(list "${root}/${identifier}.list")
  file(CONFIGURE OUTPUT "${list}" CONTENT "@files@" @ONLY)
  statehouse_find_tool("${call}" tool)
  # Elsewhere than in the sources, whose statehouse.toml and .env are somebody's settings and not the build's.
  add_custom_command(
    OUTPUT "${header}"
    COMMAND "${tool}" queries generate --name "${arg_DATABASE}" --source "${directory}" --to "${header}" "${queries}"
    DEPENDS "${queries}" "${list}" ${files} "${tool}"
    WORKING_DIRECTORY "${root}"
    COMMENT "Checking the queries of ${arg_DATABASE}"
    VERBATIM)
  target_sources(${target} PRIVATE "${header}")
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${root}>")
endfunction()

# The program that checks: one that was named, one that is there, or one that is built from our own sources.
function(statehouse_find_tool call out)
  set(sources "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..")
  if(STATEHOUSE_TOOL)
    set(${out} "${STATEHOUSE_TOOL}" PARENT_SCOPE)
    return()
  elseif(CMAKE_CROSSCOMPILING)
    message(FATAL_ERROR "${call}: what is built here may not run here. Set STATEHOUSE_TOOL to the program statehouse of "
                        "this machine, of the same version.")
  elseif(NOT TARGET statehouse::cli AND EXISTS "${sources}/cli/CMakeLists.txt")
    find_package(Boost 1.83 CONFIG REQUIRED COMPONENTS headers json url)
    find_package(CLI11 CONFIG QUIET)
    if(NOT TARGET CLI11::CLI11)
      message(FATAL_ERROR "${call}: CLI11 was not found, which the program that checks queries needs: install libcli11-dev.")
    endif()
    set(CMAKE_UNITY_BUILD ON)  # in a third of the time
    set(tools "${statehouse_BINARY_DIR}/tools")
    if(NOT TARGET statehouse_command_line)
      add_subdirectory("${sources}/command_line" "${tools}/command_line" EXCLUDE_FROM_ALL)
    endif()
    add_subdirectory("${sources}/cli" "${tools}/cli" EXCLUDE_FROM_ALL)
  elseif(NOT TARGET statehouse::cli)
    message(FATAL_ERROR "${call}: the program statehouse is not installed beside the library. Install it, of Debian's "
                        "packages statehouse-tools, or set STATEHOUSE_TOOL to its path.")
  endif()
  set(${out} "$<TARGET_FILE:statehouse::cli>" PARENT_SCOPE)
endfunction()
