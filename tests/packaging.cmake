# The library as others meet it, and rules that no compiler checks. Neither depends on the preset: dev and release run
# them, the sanitizer presets leave these labels out.
set(consumer_source "${CMAKE_CURRENT_SOURCE_DIR}/consumer")
set(consumer_binary "${CMAKE_CURRENT_BINARY_DIR}/consumer")

# --- packaging: tests that compile, each on one core. ---

function(statehouse_add_packaging_test name)
  add_test(NAME "packaging: ${name}" COMMAND ${ARGN})
  set_tests_properties("packaging: ${name}" PROPERTIES
    LABELS packaging ENVIRONMENT CMAKE_BUILD_PARALLEL_LEVEL=1)
endfunction()

# Configures and builds a project below consumer/ in <folder>, then runs <command> there, which may be a list.
function(statehouse_add_consumer_test name project folder command)
  statehouse_add_packaging_test("${name}"
    "${CMAKE_CTEST_COMMAND}" --build-and-test "${consumer_source}/${project}" "${consumer_binary}/${folder}"
    --build-generator "${CMAKE_GENERATOR}" --build-noclean
    --build-options ${ARGN} "-DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}" -DCMAKE_CXX_FLAGS_DEBUG=-O0
    "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}"
    --test-command ${command})
endfunction()

# Where no program `statehouse` is installed, and building it would take long.
set(another_tool "")
if(TARGET statehouse::cli)
  set(another_tool "-DSTATEHOUSE_TOOL=$<TARGET_FILE:statehouse::cli>")
endif()

# What the stranger's project of consumer/ builds: a program, and a host that opens a plugin.
set(consumers sh -c "./consumer && ./host")

set(prefix "${consumer_binary}/prefix")
statehouse_add_packaging_test("install" "${CMAKE_COMMAND}" --install "${PROJECT_BINARY_DIR}" --prefix "${prefix}")
set_tests_properties("packaging: install" PROPERTIES FIXTURES_SETUP installed)

statehouse_add_packaging_test("only our own files are installed"
  "${CMAKE_CURRENT_SOURCE_DIR}/lint/installed" "${prefix}")
statehouse_add_consumer_test("a program and a plugin that use find_package" . find_package "${consumers}"
  "-DCMAKE_PREFIX_PATH=${prefix}")
statehouse_add_packaging_test("pkg-config" "${consumer_source}/pkg_config/check" "${prefix}"
  "${consumer_binary}/pkg_config" "${CMAKE_CXX_COMPILER}")
statehouse_add_consumer_test("a program and a plugin that use add_subdirectory" . add_subdirectory "${consumers}"
  "-DSTATEHOUSE_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
statehouse_add_packaging_test("a second SQLite is refused, and targets that a project has are taken"
  "${consumer_source}/other_sqlite/check" "${PROJECT_SOURCE_DIR}" "${consumer_binary}/other_sqlite")
statehouse_add_packaging_test("an amalgamation is the one SQLite of a program and of a plugin"
  "${consumer_source}/amalgamation/check" "${PROJECT_SOURCE_DIR}" "${consumer_binary}/amalgamation")
set_tests_properties("packaging: an amalgamation is the one SQLite of a program and of a plugin"
  PROPERTIES SKIP_RETURN_CODE 77)

# The shared library is built once, by FetchContent in a stranger's project, and installed from there for the others.
set(shared_prefix "${consumer_binary}/shared_prefix")
set(repository "${consumer_binary}/statehouse.git")
statehouse_add_packaging_test("a repository" "${consumer_source}/fetch_content/repository"
  "${PROJECT_SOURCE_DIR}" "${repository}")
statehouse_add_consumer_test("a program and a plugin that use FetchContent and a shared library" . fetch_content
  "${consumers}" "-DSTATEHOUSE_REPOSITORY=file://${repository}" -DBUILD_SHARED_LIBS=ON -DSTATEHOUSE_INSTALL=ON
  ${another_tool})
statehouse_add_packaging_test("install a shared library"
  "${CMAKE_COMMAND}" --install "${consumer_binary}/fetch_content" --prefix "${shared_prefix}")
statehouse_add_consumer_test("a program and a plugin that use find_package and a shared library" . find_package_shared
  "${consumers}" "-DCMAKE_PREFIX_PATH=${shared_prefix}"
  -DCMAKE_DISABLE_FIND_PACKAGE_re2=ON -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON  # it has found what it needs
  ${another_tool})
statehouse_add_packaging_test("pkg-config and a shared library" "${consumer_source}/pkg_config/check" "${shared_prefix}"
  "${consumer_binary}/pkg_config_shared" "${CMAKE_CXX_COMPILER}")
statehouse_add_packaging_test("only our own files are installed with a shared library"
  "${CMAKE_CURRENT_SOURCE_DIR}/lint/installed" "${shared_prefix}")
statehouse_add_packaging_test("a shared library shows what the public headers declare and nothing else"
  "${CMAKE_CURRENT_SOURCE_DIR}/lint/exported" "${shared_prefix}")
set_tests_properties("packaging: a repository" PROPERTIES FIXTURES_SETUP repository)
set_tests_properties("packaging: a program and a plugin that use FetchContent and a shared library" PROPERTIES
  FIXTURES_REQUIRED repository FIXTURES_SETUP fetched)
set_tests_properties("packaging: install a shared library" PROPERTIES
  FIXTURES_REQUIRED fetched FIXTURES_SETUP installed_shared)
set_tests_properties(
  "packaging: a program and a plugin that use find_package and a shared library"
  "packaging: pkg-config and a shared library"
  "packaging: only our own files are installed with a shared library"
  "packaging: a shared library shows what the public headers declare and nothing else"
  PROPERTIES FIXTURES_REQUIRED installed_shared)

statehouse_add_consumer_test("every snippet of the README and the guides compiles, and the tests of the guide run" readme readme ./tests_of_the_page
  "-DCMAKE_PREFIX_PATH=${prefix}" "-DREADME=${PROJECT_SOURCE_DIR}/README.md" "-DDOCS=${PROJECT_SOURCE_DIR}/backend/docs"
  "-DMIGRATIONS=${PROJECT_SOURCE_DIR}/migrations")
find_library(STATEHOUSE_OPENTELEMETRY opentelemetry_trace)  # tools/setup --ci has it where it is packaged
if(STATEHOUSE_OPENTELEMETRY)
  statehouse_add_consumer_test("spans of opentelemetry-cpp, of requests and their statements" opentelemetry opentelemetry
    ./traced "-DCMAKE_PREFIX_PATH=${prefix}")
  set_tests_properties("packaging: spans of opentelemetry-cpp, of requests and their statements"
    PROPERTIES FIXTURES_REQUIRED installed)
endif()
statehouse_add_packaging_test("what the README has for installing builds nothing else"
  "${consumer_source}/installing/check" "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}"
  "${consumer_binary}/installing")
if(TARGET statehouse-cli)
  statehouse_add_packaging_test("the first steps with migrations work as written"
    "${consumer_source}/first_steps/check" "${PROJECT_SOURCE_DIR}/backend/docs/first-migrations.md" "${prefix}"
    "${consumer_binary}/first_steps")
  set_tests_properties("packaging: the first steps with migrations work as written"
    PROPERTIES FIXTURES_REQUIRED installed)
endif()
set_tests_properties(
  "packaging: only our own files are installed"
  "packaging: a program and a plugin that use find_package"
  "packaging: pkg-config"
  "packaging: every snippet of the README and the guides compiles, and the tests of the guide run"
  PROPERTIES FIXTURES_REQUIRED installed)
statehouse_add_packaging_test("migrations are embedded byte for byte and rebuilt when they change"
  "${consumer_source}/embedding/check" "${consumer_binary}/embedding")

statehouse_add_packaging_test("queries of a stranger's project compile where they fit, and nine that do not stop the build"
  "${consumer_source}/checked/check" "${consumer_binary}/checked" "-DCMAKE_PREFIX_PATH=${prefix}"
  "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}")
set_tests_properties("packaging: queries of a stranger's project compile where they fit, and nine that do not stop the build"
  PROPERTIES FIXTURES_REQUIRED installed)

statehouse_add_packaging_test("what must not compile does not, and the message says why"
  "${consumer_source}/refused/check" "${consumer_binary}/refused" "${CMAKE_CXX_COMPILER}" -std=c++20
  "-I${PROJECT_SOURCE_DIR}/backend/include")

file(GLOB headers RELATIVE "${PROJECT_SOURCE_DIR}/backend/include" CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/backend/include/statehouse/*.hpp"
     "${PROJECT_SOURCE_DIR}/backend/include/statehouse/testing/*.hpp")
statehouse_add_packaging_test("every public header compiles alone" "${CMAKE_CURRENT_SOURCE_DIR}/lint/headers"
  "${CMAKE_CXX_COMPILER}" "${PROJECT_SOURCE_DIR}/backend/include" ${headers})

# --- lint ---

function(statehouse_add_lint name script)
  add_test(NAME "lint: ${name}" COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/lint/${script}" ${ARGN})
  set_tests_properties("lint: ${name}" PROPERTIES LABELS lint)
endfunction()

statehouse_add_lint("the library defines no symbol of SQLite's" symbols "$<TARGET_FILE:statehouse>")
file(GLOB_RECURSE public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/backend/include/*.hpp")
list(FILTER public_headers EXCLUDE REGEX "/testing/")  # those are compiled into the tests of users, not into the library
statehouse_add_lint("a shared library shows what the public headers declare" visible ${public_headers})
set(programs "")
foreach(program IN ITEMS statehouse-cli statehouse-node statehouse-server)
  if(TARGET ${program})
    list(APPEND programs "$<TARGET_FILE:${program}>")
  endif()
endforeach()
statehouse_add_lint("there is one version" version "${PROJECT_SOURCE_DIR}" ${programs})
statehouse_add_lint("nothing around a co_await that GCC 12 gets wrong" coroutines
  "${PROJECT_SOURCE_DIR}/backend" "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/tools"
  "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CONTRIBUTING.md")
statehouse_add_lint("what GCC 12 gets wrong around a co_await is found" coroutines_test)
statehouse_add_lint("no time of different units meets another one raw" durations "${PROJECT_SOURCE_DIR}")
statehouse_add_lint("the check of the first steps stops at the first line that fails" ../consumer/first_steps/check_test
  "${consumer_binary}/first_steps_check")
find_program(PYTHON3 python3)  # installed for the CI
mark_as_advanced(PYTHON3)
if(PYTHON3)
  statehouse_add_lint("each mutation finds its line and its tests" ../mutation/run --check)
endif()
if(CMAKE_GENERATOR STREQUAL "Ninja")
  statehouse_add_lint("the arrows between the rooms run one way" layers "${PROJECT_BINARY_DIR}")
endif()

find_program(SYSTEMD_ANALYZE systemd-analyze)  # a container has none
mark_as_advanced(SYSTEMD_ANALYZE)
if(TARGET statehouse-node AND SYSTEMD_ANALYZE)
  statehouse_add_lint("systemd takes the unit of a node" unit
    "$<TARGET_FILE:statehouse-node>" "${PROJECT_SOURCE_DIR}/tools/node/statehouse-node.service.in")
endif()
if(TARGET statehouse-server AND SYSTEMD_ANALYZE)
  statehouse_add_lint("systemd takes the unit of the example backend" unit
    "$<TARGET_FILE:statehouse-server>" "${PROJECT_SOURCE_DIR}/backend/server/statehouse-server.service")
endif()
if(TARGET statehouse-cli AND SYSTEMD_ANALYZE)
  statehouse_add_lint("systemd takes the timer of backups" unit "$<TARGET_FILE:statehouse-cli>"
    "${PROJECT_SOURCE_DIR}/tools/cli/statehouse-backup@.service.in"
    "${PROJECT_SOURCE_DIR}/tools/cli/statehouse-backup@.timer")
endif()

file(GLOB guides CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/backend/docs/*.md")
statehouse_add_lint("every link of the README and the guides leads somewhere" links "${PROJECT_SOURCE_DIR}"
  "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CONTRIBUTING.md" ${guides})
list(TRANSFORM headers PREPEND "${PROJECT_SOURCE_DIR}/backend/include/" OUTPUT_VARIABLE header_files)
statehouse_add_lint("clang's own standard library will do for the public headers" libcxx "${PROJECT_SOURCE_DIR}/backend/include" ${headers})
set_tests_properties("lint: clang's own standard library will do for the public headers" PROPERTIES SKIP_RETURN_CODE 77)
statehouse_add_lint("the guide tells of every option, and of no other" options
  "${PROJECT_SOURCE_DIR}/backend/docs/options.md" ${header_files})
if(TARGET docs)
  statehouse_add_lint("every public name is documented" documented "${PROJECT_SOURCE_DIR}")
endif()
