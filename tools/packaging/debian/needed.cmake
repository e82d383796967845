# Run by CPack before it makes packages: without dpkg-shlibdeps it would make them depend on nothing, and be content.
foreach(program IN ITEMS file dpkg-shlibdeps)
  find_program(found ${program} NO_CACHE)
  if(NOT found)
    message(FATAL_ERROR "cpack makes Debian packages with ${program}: install the packages file and dpkg-dev")
  endif()
  unset(found)
endforeach()
