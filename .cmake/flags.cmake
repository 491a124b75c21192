# How our own code is compiled. Generated code and other people's headers are not held to it.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(THREADS_PREFER_PTHREAD_FLAG ON)

add_library(flags INTERFACE)
target_compile_definitions(flags INTERFACE
  _GNU_SOURCE # uv.h does not compile under bare -std=c11
  $<$<BOOL:${FAULTS}>:SLUICE_FAULTS>)
target_compile_options(flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes
  -Wswitch-enum -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef)

if(SANITIZE)
  add_compile_options(-fsanitize=${SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SANITIZE})
endif()
if(FUZZER)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
