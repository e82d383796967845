# The benchmarks as tests, where they are built (the release preset).
if(NOT TARGET statehouse-bench)
  return()
endif()

add_test(NAME "bench: statehouse-load keeps its interface"
         COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/bench/load" "$<TARGET_FILE:statehouse-load>")
set_tests_properties("bench: statehouse-load keeps its interface" PROPERTIES LABELS bench)

add_test(NAME "bench: a peer is measured like the others, and trusted no further than it can be"
         COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/bench/peer" "$<TARGET_FILE:statehouse-bench>" "$<TARGET_FILE:statehouse-load>")
set_tests_properties("bench: a peer is measured like the others, and trusted no further than it can be" PROPERTIES LABELS bench)

if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  return()
endif()
# Alone on the machine: it measures.
add_test(NAME "bench: no ratio is far from its goal" COMMAND statehouse-bench --short --check)
set_tests_properties("bench: no ratio is far from its goal" PROPERTIES LABELS bench RUN_SERIAL TRUE)
